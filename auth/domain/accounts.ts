import { addressGroup, wideAddressGroup } from "@parley/platform/address-group.ts"
import type { Clock } from "@parley/platform/clock.ts"
import { badInput, ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import type { IdSource } from "@parley/platform/ids.ts"
import type { TokenBuckets } from "@parley/platform/token-bucket.ts"
import type { Viewer } from "@parley/platform/tokens.ts"
import type { Store, User } from "../store/store.ts"
import { deviceName } from "./device.ts"
import type { Devices } from "./devices.ts"
import type { FairSemaphore } from "./fair-semaphore.ts"
import type { Forgive, Guesses } from "./guesses.ts"
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
  /** The device cookie. */
  device?: string
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
   * Ends every other session, and moves the viewer's own to a new refresh token; undefined where it has ended meanwhile.
   * @throws ParleyError BAD_INPUT that names `current` or `new`; RATE_LIMITED; CONFLICT where two change it at once.
   */
  changePassword(
    viewer: Viewer,
    current: string,
    next: string,
    origin: Origin,
  ): Promise<SignedIn | undefined>
  /** @throws ParleyError BAD_INPUT that names the field; RATE_LIMITED. */
  updateProfile(viewer: Viewer, input: ProfileInput): Promise<User>
  byUsername(username: string): Promise<User | undefined>
  /** @throws ParleyError BAD_INPUT, RATE_LIMITED. */
  search(viewer: Viewer, text: string, first: number): Promise<User[]>
}

export interface AccountsOptions {
  store: Store
  clock: Clock
  ids: IdSource
  hasher: Hasher
  sessions: Sessions
  devices: Devices
  guesses: Guesses
  /** Whose turn it is to have a password hashed. */
  semaphore: FairSemaphore
  limits: {
    signUps: RateLimit
    /** The same for the /48 of an IPv6 address. */
    networkSignUps: RateLimit
    /** Sign-ins with the right password. */
    signIns: RateLimit
    profileChanges: RateLimit
    searches: TokenBuckets
  }
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { store, clock, ids, hasher, sessions, devices, guesses, semaphore, limits } = options

  /** Checks a password. What was counted before it was looked at is taken back where it was right. */
  async function guess(counted: Promise<Forgive>, password: string, hash: string | undefined) {
    const forgive = await counted
    const right = await hasher.verify(password, hash)
    if (right) await forgive()
    return right
  }

  async function countSignUp(address: string): Promise<void> {
    const network = wideAddressGroup(address)
    await limits.signUps.take(addressGroup(address))
    if (network) await limits.networkSignUps.take(network)
  }

  return {
    async signUp(input, origin) {
      const username = newUsername(input.username)
      const password = newPassword("password", input.password, username)
      const name = input.name == null ? username : newName(input.name)
      const device = deviceName(input.device, origin.userAgent)
      // All sign-ups of one address take turns with its sign-ins as one account would.
      const address = addressGroup(origin.address)
      const by = { address, account: `sign-up ${address}` }
      const passwordHash = await semaphore.run(by, async () => {
        await countSignUp(origin.address)
        // Known to be taken: do not pay for a hash. Of two who take it at once one wins at the insert.
        if (await store.userByUsername(username)) throw taken()
        return hasher.hash(password)
      })
      const user = {
        id: ids(),
        username,
        name,
        about: null,
        avatarUrl: null,
        createdAt: clock.now(),
        passwordHash,
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
      const known = found && (await devices.known(origin.device, found))
      const by = {
        address: addressGroup(origin.address),
        account: laneOf(known ? `${username} ${known}` : username),
      }
      const right = await semaphore.run(by, () => {
        const counted = known
          ? guesses.known(username, known)
          : guesses.unknown(username, origin.address)
        return guess(counted, password, found?.passwordHash)
      })
      if (!right || !found) throw wrong()
      await limits.signIns.take(found.user)
      const signedIn = await sessions.begin(found.user, device)
      // The password may have been changed while it was checked. The change ends the sessions that it sees
      // afterwards, and a sign-in looks at the password once its session has begun: no session slips through.
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
      const by = { address: addressGroup(origin.address), account: `session ${viewer.session}` }
      const passwordHash = await semaphore.run(by, async () => {
        const counted = guesses.inSession(viewer.session)
        if (!(await guess(counted, given, found.passwordHash))) {
          throw badInput("current", "The current password is wrong.")
        }
        return hasher.hash(password)
      })
      // Before as well: should the process die after the change, no session of a thief lives on.
      await sessions.endOthers(viewer)
      if (!(await store.replacePassword(viewer.user, found.passwordHash, passwordHash))) {
        throw new ParleyError("CONFLICT", "The password was changed elsewhere just now.")
      }
      await sessions.endOthers(viewer)
      return sessions.moveOn(viewer)
    },

    async updateProfile(viewer, input) {
      const found = await store.credentialsById(viewer.user)
      if (!found) throw unauthenticated()
      const change = profileChange(found.username, input)
      await limits.profileChanges.take(viewer.user)
      const user = await store.updateProfile(viewer.user, change)
      if (!user) throw unauthenticated()
      return user
    },

    byUsername: (username) => store.userByUsername(foldUsername(username)),
    async search(viewer, text, first) {
      const taken = limits.searches.take(viewer.user, 1, clock.now())
      if (taken.ok) return searchUsers(store, text, first)
      const { retryAfterMs } = taken
      throw new ParleyError("RATE_LIMITED", "Too many searches: wait a moment.", { retryAfterMs })
    },
  }
}

const taken = () => new ParleyError("CONFLICT", "That username is taken.", { field: "username" })

const wrong = () => unauthenticated("The username or the password is wrong.")

/** A name of bounded length for what came from outside, in the queue of those who sign in. */
const laneOf = (account: string) =>
  new Bun.CryptoHasher("sha256").update(account).digest("base64url")
