import type { IndexDescription } from "mongodb"
import type { Counter, Credentials, NewUser, Session, User } from "../store.ts"

/** What the documents look like: as the port's types, with `_id` for their key and dates for their times. */

type Stored<T, Key extends keyof T, Dates extends keyof T> = { _id: string } & Omit<
  T,
  Key | Dates
> & {
    [K in Dates]: null extends T[K] ? Date | null : Date
  }

export type UserDocument = Stored<NewUser, "id", "createdAt">

export type SessionDocument = Stored<
  Session,
  "id",
  "createdAt" | "lastSeenAt" | "rotatedAt" | "expiresAt" | "endedAt"
>

export interface CounterDocument extends Stored<Counter, "key", "expiresAt"> {
  /** Names of the last writes: a process that does not know whether its own took place finds it here. */
  writes: string[]
}

/** The present shapes, in `versions`. A step to the next one is to be taken by whichever process comes first. */
export const VERSION = 1

export const INDEXES: Record<"users" | "sessions" | "counters", IndexDescription[]> = {
  users: [{ key: { username: 1 }, unique: true }, { key: { nameTerms: 1 } }],
  sessions: [
    { key: { user: 1, lastSeenAt: 1 } },
    { key: { endedAt: 1, _id: 1 } },
    { key: { expiresAt: 1 } },
  ],
  counters: [{ key: { expiresAt: 1 } }],
}

/** A user without what is secret, as a projection. */
export const PUBLIC = { passwordHash: 0, nameTerms: 0 } as const

export const userDocument = ({ id, createdAt, nameTerms, ...user }: NewUser): UserDocument => ({
  _id: id,
  ...user,
  nameTerms: [...nameTerms],
  createdAt: new Date(createdAt),
})

export const userOf = (found: Omit<UserDocument, keyof typeof PUBLIC>): User => ({
  id: found._id,
  username: found.username,
  name: found.name,
  about: found.about,
  avatarUrl: found.avatarUrl,
  createdAt: found.createdAt.getTime(),
})

export const credentialsOf = (found: UserDocument): Credentials => ({
  user: found._id,
  username: found.username,
  passwordHash: found.passwordHash,
})

export const sessionDocument = ({ id, ...session }: Session): SessionDocument => ({
  _id: id,
  ...session,
  createdAt: new Date(session.createdAt),
  lastSeenAt: new Date(session.lastSeenAt),
  rotatedAt: new Date(session.rotatedAt),
  expiresAt: new Date(session.expiresAt),
  endedAt: session.endedAt === null ? null : new Date(session.endedAt),
})

export const sessionOf = ({ _id, ...found }: SessionDocument): Session => ({
  id: _id,
  ...found,
  createdAt: found.createdAt.getTime(),
  lastSeenAt: found.lastSeenAt.getTime(),
  rotatedAt: found.rotatedAt.getTime(),
  expiresAt: found.expiresAt.getTime(),
  endedAt: found.endedAt?.getTime() ?? null,
})

export const counterOf = (found: CounterDocument): Counter => ({
  key: found._id,
  version: found.version,
  hits: found.hits,
  expiresAt: found.expiresAt.getTime(),
})
