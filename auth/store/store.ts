import { openSqliteStore } from "./sqlite.ts"

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

/** What a renewal of the refresh token sets. */
export type Rotation = Pick<
  Session,
  "generation" | "tokenHash" | "rotatedAt" | "lastSeenAt" | "expiresAt"
>

/** Events counted for a rate limit: how many at which time. */
export interface Counter {
  key: string
  /** 1 on the first write, one more on each that follows. */
  version: number
  hits: readonly { at: number; count: number }[]
  /** After this time it says nothing any more and may go. */
  expiresAt: number
}

/**
 * Where accounts, login sessions and rate limits are kept. Each operation touches one document (a user, a session, a
 * counter) and is atomic on it, and nothing needs two of them to change together: so an engine can shard freely and
 * has no need of transactions. What was answered is durable. Every engine passes store.contract.ts.
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
  /** Those neither ended nor expired, the one seen last first. */
  liveSessions(user: string, now: number): Promise<Session[]>
  /** Compare and set: false where the generation is another one than expected, or the session has ended. */
  rotateSession(id: string, expectedGeneration: number, rotation: Rotation): Promise<boolean>
  /** False where it had ended before (the first end stays) or does not exist. */
  endSession(id: string, at: number): Promise<boolean>
  /** Ended after that time, oldest end first. */
  endedSessions(after: number, limit: number): Promise<{ id: string; endedAt: number }[]>

  counter(key: string): Promise<Counter | undefined>
  /** Compare and set: `counter.version` is the version after; false where the stored one (0: none) is not the one before. */
  putCounter(counter: Counter): Promise<boolean>

  /** Forgets counters that expired before `now`, and sessions that ended or expired before `sessionsBefore`. */
  prune(now: number, sessionsBefore: number): Promise<void>
  /** Rejects where the engine does not answer. */
  ping(): Promise<void>
}

/**
 * Opens the store in `directory`, an existing folder of the auth service's own, and brings it to the present schema.
 * @throws ConfigError where a newer Parley wrote it.
 */
export const openStore = (directory: string): Store => openSqliteStore(`${directory}/auth.sqlite`)
