import type { Clock } from "@parley/service/clock.ts"
import { badInput, ParleyError, unauthenticated } from "@parley/service/errors.ts"
import type { IdSource } from "@parley/service/ids.ts"
import type { Viewer } from "@parley/service/tokens.ts"
import type { Store, User } from "../store/store.ts"
import { addressGroup } from "./address.ts"
import { deviceName } from "./device.ts"
import type { Hasher } from "./hashing.ts"
import { givenPassword, newPassword } from "./passwords.ts"
import { newName, type ProfileInput, profileChange } from "./profile.ts"
import type { RateLimit } from "./rate-limits.ts"
import { nameTerms, searchUsers } from "./search.ts"
import type { Sessions, SignedIn } from "./sessions.ts"
import { foldUsername, newUsername } from "./usernames.ts"

/** Where a request comes from. */
export interface Origin {
  /** The browser's IP address. */
  address: string
  userAgent: string
}

export interface SignUpInput {
  username: string
  password: string
  name?: string | null
  device?: string | null
}

export interface SignInInput {
  username: string
  password: string
  device?: string | null
}

export interface Accounts {
  /** @throws ParleyError BAD_INPUT, CONFLICT where the username is taken, RATE_LIMITED. */
  signUp(input: SignUpInput, origin: Origin): Promise<SignedIn>
  /** @throws ParleyError UNAUTHENTICATED, the same for an unknown user and a wrong password; BAD_INPUT, RATE_LIMITED. */
  signIn(input: SignInInput, origin: Origin): Promise<SignedIn>
  /**
   * Ends every other session.
   * @throws ParleyError BAD_INPUT that names `current` or `new`; RATE_LIMITED; CONFLICT where two change it at once.
   */
  changePassword(viewer: Viewer, current: string, next: string, origin: Origin): Promise<void>
  /** @throws ParleyError BAD_INPUT that names the field. */
  updateProfile(viewer: Viewer, input: ProfileInput): Promise<User>
  byUsername(username: string): Promise<User | undefined>
  /** @throws ParleyError BAD_INPUT */
  search(text: string, first: number): Promise<User[]>
}

export interface AccountsOptions {
  store: Store
  clock: Clock
  ids: IdSource
  hasher: Hasher
  sessions: Sessions
  limits: { signUps: RateLimit; accountGuesses: RateLimit; addressGuesses: RateLimit }
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { store, clock, ids, hasher, sessions, limits } = options

  /**
   * Checks a password. The guess counts before the hash is computed, for guesses made at the same moment would all
   * pass otherwise; it is taken back when it was right, or was never looked at.
   */
  async function guess(username: string, password: string, hash: string | undefined, from: Origin) {
    const forgiveAddress = await limits.addressGuesses.take(addressGroup(from.address))
    const forgiveAccount = await limits.accountGuesses.take(username).catch(async (refusal) => {
      await forgiveAddress()
      throw refusal
    })
    const forgive = () => Promise.all([forgiveAddress(), forgiveAccount()])
    const right = await hasher.verify(password, hash).catch(async (error) => {
      if (error instanceof ParleyError) await forgive()
      throw error
    })
    if (right) await forgive()
    return right
  }

  return {
    async signUp(input, origin) {
      const username = newUsername(input.username)
      const password = newPassword("password", input.password, username)
      const name = input.name == null ? username : newName(input.name)
      const device = deviceName(input.device, origin.userAgent)
      await limits.signUps.take(addressGroup(origin.address))
      // Known to be taken: do not pay for a hash. Whoever takes it in the meantime wins at the insert.
      if (await store.userByUsername(username)) throw taken()
      const user = {
        id: ids(),
        username,
        name,
        about: null,
        avatarUrl: null,
        createdAt: clock.now(),
        passwordHash: await hasher.hash(password),
        nameTerms: nameTerms(name),
      }
      if (!(await store.insertUser(user))) throw taken()
      return sessions.begin(user.id, device)
    },

    async signIn(input, origin) {
      const username = foldUsername(input.username)
      const password = givenPassword("password", input.password)
      const device = deviceName(input.device, origin.userAgent)
      const found = await store.credentials(username)
      const right = await guess(username, password, found?.passwordHash, origin)
      if (!right || !found) throw wrong()
      const signedIn = await sessions.begin(found.user, device)
      // The password may have been changed while it was checked. Whoever changes it ends the sessions that they see
      // afterwards, and whoever begins one looks at the password afterwards: no session slips through.
      const now = await store.credentialsById(found.user)
      if (now?.passwordHash === found.passwordHash) return signedIn
      await sessions.end(signedIn.session)
      throw wrong()
    },

    async changePassword(viewer, current, next, origin) {
      const found = await store.credentialsById(viewer.user)
      if (!found) throw unauthenticated()
      const password = newPassword("new", next, found.username)
      const given = givenPassword("current", current)
      if (!(await guess(found.username, given, found.passwordHash, origin))) {
        throw badInput("current", "The current password is wrong.")
      }
      const passwordHash = await hasher.hash(password)
      // Before as well: should the process die after the change, no session of a thief lives on.
      await sessions.endOthers(viewer)
      if (!(await store.replacePassword(viewer.user, found.passwordHash, passwordHash))) {
        throw new ParleyError("CONFLICT", "The password was changed elsewhere just now.")
      }
      await sessions.endOthers(viewer)
    },

    async updateProfile(viewer, input) {
      const found = await store.credentialsById(viewer.user)
      if (!found) throw unauthenticated()
      const user = await store.updateProfile(viewer.user, profileChange(found.username, input))
      if (!user) throw unauthenticated()
      return user
    },

    byUsername: (username) => store.userByUsername(foldUsername(username)),
    search: (text, first) => searchUsers(store, text, first),
  }
}

const taken = () => new ParleyError("CONFLICT", "That username is taken.", { field: "username" })

const wrong = () => unauthenticated("The username or the password is wrong.")
