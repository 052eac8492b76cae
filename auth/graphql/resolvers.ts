import { inTurn } from "@parley/link/work.ts"
import { ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import { shownLine } from "@parley/platform/names.ts"
import type { AuditedAction, AuditFacts } from "../audit.ts"
import type { SignInInput, SignUpInput } from "../domain/accounts.ts"
import type { ProfileInput } from "../domain/profile.ts"
import type { SignedIn } from "../domain/sessions.ts"
import type { Session, User } from "../store/store.ts"
import { clearCookies, setCookies, setDeviceCookie } from "./cookies.ts"
import type { Operation } from "./operation.ts"

const DEFAULT_FIRST = 20

/** Sets the cookies of an account that has just proved its password, and answers with the user. */
async function welcome(operation: Operation, signedIn: SignedIn) {
  const { call, auth, user } = operation
  setCookies(call, auth.config, signedIn)
  await rememberDevice(operation, signedIn.user)
  return user(signedIn.user)
}

/** Ties the browser to the account that has just proved its password on it. */
async function rememberDevice({ call, auth }: Operation, user: string) {
  const owner = await auth.store.credentialsById(user)
  if (owner) setDeviceCookie(call, auth.config, await auth.devices.welcome(call.device, owner))
}

/** Gives a device cookie to the browser of a session from before there were any, or which has lost it. */
async function restoreDevice({ call, auth }: Operation, { user, session }: SignedIn) {
  if (await auth.devices.isOurs(call.device)) return
  const owner = await auth.store.credentialsById(user)
  if (owner) setDeviceCookie(call, auth.config, await auth.devices.restore(session, owner))
}

/** Writes down what came of it. */
async function audited<T>(
  action: AuditedAction,
  { call, auth }: Operation,
  facts: AuditFacts,
  act: () => Promise<T>,
  found: (result: T) => AuditFacts = () => ({}),
): Promise<T> {
  try {
    const result = await act()
    auth.audit.done(action, call, { ...facts, ...found(result) })
    return result
  } catch (error) {
    auth.audit.failed(action, call, facts, error)
    throw error
  }
}

const subject = ({ user, session }: SignedIn): AuditFacts => ({ user, session })

const Query = {
  async me(_: unknown, _args: unknown, operation: Operation) {
    if (!operation.call.viewer) return null
    return operation.user((await operation.viewer()).user)
  },
  async user(_: unknown, { username }: { username: string }, { auth, viewer }: Operation) {
    await viewer()
    return auth.accounts.byUsername(username)
  },
  async users(
    _: unknown,
    { search, first }: { search: string; first?: number | null },
    { auth, viewer, work }: Operation,
  ) {
    const who = await viewer()
    return inTurn(work, () => auth.accounts.search(who, search, first ?? DEFAULT_FIRST))
  },
  async sessions(_: unknown, _args: unknown, { auth, viewer, work }: Operation) {
    const { user } = await viewer()
    return inTurn(work, () => auth.sessions.list(user))
  },
}

const Mutation = {
  async signUp(_: unknown, { input }: { input: SignUpInput }, operation: Operation) {
    const { auth, call } = operation
    const { username, device } = input
    const signUp = () => auth.accounts.signUp(input, call)
    const signedIn = await audited("sign-up", operation, { username, device }, signUp, subject)
    return welcome(operation, signedIn)
  },
  async signIn(_: unknown, { input }: { input: SignInInput }, operation: Operation) {
    const { auth, call } = operation
    const { username, device } = input
    const signIn = () => auth.accounts.signIn(input, call)
    const signedIn = await audited("sign-in", operation, { username, device }, signIn, subject)
    return welcome(operation, signedIn)
  },
  async refreshSession(_: unknown, _args: unknown, operation: Operation) {
    const { call, auth } = operation
    if (!call.refreshToken) throw unauthenticated()
    try {
      const signedIn = await auth.sessions.refresh(call.refreshToken, call.isWaitedFor)
      setCookies(call, auth.config, signedIn)
      await restoreDevice(operation, signedIn)
      return await operation.user(signedIn.user)
    } catch (error) {
      auth.audit.failed("refresh", call, {}, error)
      // A token that is refused now will be refused for ever: the browser should not send it again.
      if (error instanceof ParleyError && error.code === "UNAUTHENTICATED") {
        clearCookies(call, auth.config)
      }
      throw error
    }
  },
  async signOut(_: unknown, _args: unknown, operation: Operation) {
    const { call, auth } = operation
    if (call.viewer) {
      const { user, session } = call.viewer
      await audited("sign-out", operation, { user, session }, () => auth.sessions.end(session))
    }
    // The access token may have expired in the meantime; the session is to end all the same.
    if (call.refreshToken) {
      const session = await auth.sessions.endByToken(call.refreshToken)
      if (session && session !== call.viewer?.session) {
        auth.audit.done("sign-out", call, { session })
      }
    }
    clearCookies(call, auth.config)
    return true
  },
  async revokeSession(_: unknown, { id }: { id: string }, operation: Operation) {
    const { call, auth } = operation
    const { user, session } = await operation.viewer()
    await audited("revoke", operation, { user, session: id }, () => auth.sessions.revoke(user, id))
    if (id === session) clearCookies(call, auth.config)
    return true
  },
  async updateProfile(_: unknown, { input }: { input: ProfileInput }, operation: Operation) {
    return operation.auth.accounts.updateProfile(await operation.viewer(), input)
  },
  async changePassword(_: unknown, args: { current: string; new: string }, operation: Operation) {
    const { call, auth } = operation
    const viewer = await operation.viewer()
    const { user, session } = viewer
    const change = () => auth.accounts.changePassword(viewer, args.current, args.new, call)
    const moved = await audited("password-change", operation, { user, session }, change)
    if (moved) setCookies(call, auth.config, moved)
    await rememberDevice(operation, user)
    return true
  },
}

/** Viewer and input in, domain out: no rules here. */
export const resolvers = {
  Query,
  Mutation,
  User: {
    /** Needs no viewer: profiles are public to holders of the link secret. */
    async __resolveReference({ id }: { id: string }, { user }: Operation) {
      return (await user(id)) ?? null
    },
    name: ({ name, username }: User) => shownLine(name, username),
    about: ({ about }: User) => about && (shownLine(about, "") || null),
    createdAt: (user: User) => rfc3339(user.createdAt),
  },
  Session: {
    device: ({ device }: Session) => shownLine(device, "Unknown device"),
    createdAt: (session: Session) => rfc3339(session.createdAt),
    lastSeenAt: (session: Session) => rfc3339(session.lastSeenAt),
    current: (session: Session, _: unknown, { call }: Operation) =>
      session.id === call.viewer?.session,
  },
}

const rfc3339 = (ms: number) => new Date(ms).toISOString()
