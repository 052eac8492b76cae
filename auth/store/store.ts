import type { Clock } from "@parley/platform/clock.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { AuthConfig } from "../config.ts"
import { openMongoStore } from "./mongo/mongo.ts"
import { openSqliteStore } from "./sqlite/sqlite.ts"

/** What anyone signed in may know of a user. Times are ms since the epoch, here and below. */
export interface User {
  id: string
  username: string
  name: string
  about: string | null
  avatarUrl: string | null
  createdAt: number
}

export interface NewUser extends User {
  passwordHash: string
  /** The folded name from each of its words on: what a search by prefix looks through. */
  nameTerms: readonly string[]
}

/** What to change of a profile; a field that is absent stays as it is. */
export interface ProfileChange {
  name?: { name: string; terms: readonly string[] }
  about?: string | null
  avatarUrl?: string | null
}

export interface Credentials {
  user: string
  username: string
  passwordHash: string
}

/** One signed-in device. */
export interface Session {
  id: string
  user: string
  device: string
  createdAt: number
  lastSeenAt: number
  /** How often its refresh token was renewed; the token in use is the one of this generation. */
  generation: number
  /** sha256 of the refresh token in use. */
  tokenHash: string
  /** When the token in use replaced the one before it. */
  rotatedAt: number
  expiresAt: number
  endedAt: number | null
}

/** What a renewal of the refresh token sets; when it took place, the store knows better. */
export type Rotation = Pick<Session, "generation" | "tokenHash" | "lastSeenAt" | "expiresAt">

/** Events counted for a rate limit: how many at which time. */
export interface Counter {
  key: string
  /** 1 on the first write, one more on each that follows. */
  version: number
  hits: readonly { at: number; count: number }[]
  /** After this time it says nothing any more and may go. */
  expiresAt: number
}

export interface StoredKey {
  kid: string
  /** From when on it signs. */
  activeFrom: number
  privateKey: { kty: "OKP"; crv: "Ed25519"; x: string; d: string }
}

export interface StoredKeys {
  /** 1 on the first write, one more on each that follows. */
  version: number
  /** What refresh tokens are derived from: 32 random bytes, base64url. */
  refreshSecret: string
  /** In the order in which they sign. */
  keys: StoredKey[]
}

/** Where the secret keys are kept between two runs, and shared by all that run. */
export interface KeyStorage {
  /** @throws ConfigError where there are some that cannot be read. */
  load(): Promise<StoredKeys | undefined>
  /** Compare and set: `keys.version` is the version after; false where the stored one (0: none) is not the one before. */
  save(keys: StoredKeys): Promise<boolean>
}

/**
 * Where accounts, login sessions, rate limits and keys are kept. Each operation touches one document (a user, a
 * session, a counter) and is atomic on it, and nothing needs two of them to change together: so an engine can shard
 * freely and has no need of transactions. What was answered is durable. Every engine passes store.contract.ts.
 */
export interface Store extends AsyncDisposable {
  /** False where the username is taken; of two at the same moment one wins. */
  insertUser(user: NewUser): Promise<boolean>
  /** Those that exist, in no particular order. */
  usersById(ids: readonly string[]): Promise<User[]>
  userByUsername(username: string): Promise<User | undefined>
  /** Ordered by username. */
  usersByUsernamePrefix(prefix: string, limit: number): Promise<User[]>
  /** Those with a name term that begins with the prefix, each once; which ones, where there are more, is left open. */
  usersByNamePrefix(prefix: string, limit: number): Promise<User[]>
  /** The user afterwards; undefined where there is none. */
  updateProfile(id: string, change: ProfileChange): Promise<User | undefined>

  credentials(username: string): Promise<Credentials | undefined>
  credentialsById(id: string): Promise<Credentials | undefined>
  /** Compare and set: false where the stored hash is another one than expected. */
  replacePassword(id: string, expected: string, passwordHash: string): Promise<boolean>

  insertSession(session: Session): Promise<void>
  session(id: string): Promise<Session | undefined>
  /** Those of the given ids that are neither ended nor expired, in no particular order. */
  liveAmong(ids: readonly string[], now: number): Promise<string[]>
  /** Those neither ended nor expired, the one seen last first. */
  liveSessions(user: string, now: number): Promise<Session[]>
  /**
   * Compare and set: false where the generation is another one than expected, or the session has ended. `rotatedAt`
   * becomes the store's time at the moment of the write.
   */
  rotateSession(id: string, expectedGeneration: number, rotation: Rotation): Promise<boolean>
  /** The end is stamped with the store's time at the moment of the write; the first end stays. */
  endSession(id: string): Promise<void>
  /** Ended after that time, oldest end first. */
  endedSessions(after: number, limit: number): Promise<{ id: string; endedAt: number }[]>

  counter(key: string): Promise<Counter | undefined>
  /** Compare and set: `counter.version` is the version after; false where the stored one (0: none) is not the one before. */
  putCounter(counter: Counter): Promise<boolean>

  /** Forgets counters that expired before `now`, and sessions that ended or expired before `sessionsBefore`. */
  prune(now: number, sessionsBefore: number): Promise<void>
  /** Rejects where the engine does not answer. */
  ping(): Promise<void>

  /**
   * What time it is for this store, asked of it now. Whatever it was asked to do before that and has answered is there
   * for a reader that looks afterwards, and ends and renewals that follow have stamps that are no older, but for what the
   * engine itself takes between a stamp and the write.
   */
  time(): Promise<number>
  /**
   * The same at no cost: what all processes on this store agree on, whatever their own clocks say. Off by some ms.
   * @throws ParleyError UNAVAILABLE from `now` as long as the store has never been reached.
   */
  readonly clock: Clock
  readonly keys: KeyStorage
}

export interface StoreOptions {
  /** Of this process: what the embedded engine goes by. */
  clock: Clock
  log: Logger
}

/**
 * Opens the store that the config names: MongoDB, for any number of auth processes, or else the embedded one for this
 * process alone. A MongoDB that is away is waited for in the background.
 * @throws ConfigError where it cannot be used, or a newer Parley wrote it.
 */
export async function openStore(
  config: Pick<AuthConfig, "dataDir" | "mongodbUrl" | "linkSecret">,
  { clock, log }: StoreOptions,
): Promise<Store> {
  const { dataDir, mongodbUrl: url, linkSecret } = config
  if (url) return openMongoStore({ url, linkSecret, log })
  return openSqliteStore(`${dataDir}/auth`, clock)
}
