import { ParleyError, unauthenticated } from "@parley/service/errors.ts"
import { shownLine } from "@parley/service/names.ts"
import type { SignInInput, SignUpInput } from "../domain/accounts.ts"
import type { ProfileInput } from "../domain/profile.ts"
import type { SignedIn } from "../domain/sessions.ts"
import type { Session, User } from "../store/store.ts"
import { clearCookies, setCookies } from "./cookies.ts"
import type { Operation } from "./operation.ts"

const DEFAULT_FIRST = 20

/** Sets the cookies and answers with the user. */
async function welcome({ call, auth, user }: Operation, signedIn: SignedIn) {
  setCookies(call, auth.config, signedIn)
  return user(signedIn.user)
}

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
    { auth, viewer }: Operation,
  ) {
    await viewer()
    return auth.accounts.search(search, first ?? DEFAULT_FIRST)
  },
  async sessions(_: unknown, _args: unknown, { auth, viewer }: Operation) {
    return auth.sessions.list((await viewer()).user)
  },
}

const Mutation = {
  async signUp(_: unknown, { input }: { input: SignUpInput }, operation: Operation) {
    return welcome(operation, await operation.auth.accounts.signUp(input, operation.call))
  },
  async signIn(_: unknown, { input }: { input: SignInInput }, operation: Operation) {
    return welcome(operation, await operation.auth.accounts.signIn(input, operation.call))
  },
  async refreshSession(_: unknown, _args: unknown, operation: Operation) {
    const { call, auth } = operation
    if (!call.refreshToken) throw unauthenticated()
    try {
      return await welcome(
        operation,
        await auth.sessions.refresh(call.refreshToken, call.isWaitedFor),
      )
    } catch (error) {
      // A token that is refused now will be refused for ever: the browser should not send it again.
      if (error instanceof ParleyError && error.code === "UNAUTHENTICATED") {
        clearCookies(call, auth.config)
      }
      throw error
    }
  },
  async signOut(_: unknown, _args: unknown, { call, auth }: Operation) {
    if (call.viewer) await auth.sessions.end(call.viewer.session)
    // The access token may have expired in the meantime; the session is to end all the same.
    if (call.refreshToken) await auth.sessions.endByToken(call.refreshToken)
    clearCookies(call, auth.config)
    return true
  },
  async revokeSession(_: unknown, { id }: { id: string }, { call, auth, viewer }: Operation) {
    const { user, session } = await viewer()
    await auth.sessions.revoke(user, id)
    if (id === session) clearCookies(call, auth.config)
    return true
  },
  async updateProfile(_: unknown, { input }: { input: ProfileInput }, operation: Operation) {
    return operation.auth.accounts.updateProfile(await operation.viewer(), input)
  },
  async changePassword(
    _: unknown,
    args: { current: string; new: string },
    { call, auth, viewer }: Operation,
  ) {
    await auth.accounts.changePassword(await viewer(), args.current, args.new, call)
    return true
  },
}

/** Viewer and input in, domain out: no rules here. */
export const resolvers = {
  Query,
  Mutation,
  User: {
    /** Needs no viewer: profiles are public to whoever holds the link secret. */
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
