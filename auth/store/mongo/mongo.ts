import type { Logger } from "@parley/platform/log.ts"
import { isDuplicate, openMongo, twice } from "@parley/platform/mongo.ts"
import type { Filter } from "mongodb"
import { createSharedClock } from "../shared-clock.ts"
import type { Store } from "../store.ts"
import { mongoKeys } from "./keys.ts"
import {
  type CounterDocument,
  counterOf,
  credentialsOf,
  INDEXES,
  PUBLIC,
  type SessionDocument,
  sessionDocument,
  sessionOf,
  type UserDocument,
  userDocument,
  userOf,
  VERSION,
} from "./shapes.ts"

export interface MongoStoreOptions {
  url: string
  /** The keys are sealed under it. */
  linkSecret: string
  log: Logger
}

/** How many of the last writes of a counter are remembered by name: more than processes write to one at once. */
const REMEMBERED_WRITES = 8

/**
 * The engine for any number of auth processes: MongoDB, each operation on one document. What it cannot do just now is
 * UNAVAILABLE. A step whose connection broke is tried once more; a write finds out then what became of the first try.
 * Stamps and the clock are the server's: `$currentDate` is set where the write takes place, so that a write which was
 * held up on its way is not stamped with a time that others have passed already.
 * @throws ConfigError where MongoDB refuses us or a newer Parley has used it, as far as that shows at once.
 */
export async function openMongoStore({ url, linkSecret, log }: MongoStoreOptions): Promise<Store> {
  const mongo = await openMongo({ url, name: "auth", version: VERSION, indexes: INDEXES, log })
  const users = mongo.collection<UserDocument>("users")
  const sessions = mongo.collection<SessionDocument>("sessions")
  const counters = mongo.collection<CounterDocument>("counters")
  const times = mongo.collection<{ _id: string; at: Date }>("clock")

  /** @param step is told whether it was tried before, with an outcome that did not come back. */
  const run = <T>(step: (again: boolean) => Promise<T>): Promise<T> => mongo.run(() => twice(step))

  const publicUsers = (filter: Filter<UserDocument>) =>
    users.find(filter).project<Omit<UserDocument, keyof typeof PUBLIC>>(PUBLIC)

  const credentials = (filter: Filter<UserDocument>) =>
    run(async () => {
      const found = await users.findOne(filter)
      return found ? credentialsOf(found) : undefined
    })

  /**
   * The time is written, and read off the write: so it comes from the member that the majority stands behind, by whose
   * clock everything else is stamped, and what was acknowledged before is behind it.
   */
  const time = () =>
    run(async () => {
      const write = () =>
        times.findOneAndUpdate(
          { _id: "auth" },
          { $currentDate: { at: true } },
          { upsert: true, returnDocument: "after" },
        )
      // Of several who write it for the first time, one inserts it.
      const written = await write().catch((error) => {
        if (isDuplicate(error)) return write()
        throw error
      })
      return written!.at.getTime()
    })

  const clock = createSharedClock(time)
  await clock.follow()

  return {
    insertUser: (user) =>
      run(async () => {
        try {
          await users.insertOne(userDocument(user))
          return true
        } catch (error) {
          if (!isDuplicate(error)) throw error
          const found = await users.findOne({ username: user.username })
          return found?._id === user.id
        }
      }),
    usersById: (ids) =>
      run(async () =>
        (await publicUsers({ _id: { $in: [...new Set(ids)] } }).toArray()).map(userOf),
      ),
    userByUsername: (username) =>
      run(async () => (await publicUsers({ username }).toArray()).map(userOf)[0]),
    usersByUsernamePrefix: (prefix, limit) =>
      run(async () => {
        const found = publicUsers({ username: beginningWith(prefix) })
        return (await found.sort({ username: 1 }).limit(limit).toArray()).map(userOf)
      }),
    usersByNamePrefix: (prefix, limit) =>
      run(async () => {
        // One and the same term must lie in the range.
        const found = publicUsers({ nameTerms: { $elemMatch: beginningWith(prefix) } })
        return (await found.limit(limit).toArray()).map(userOf)
      }),
    updateProfile: (id, { name, about, avatarUrl }) =>
      run(async () => {
        const change = {
          ...(name && { name: name.name, nameTerms: [...name.terms] }),
          ...(about !== undefined && { about }),
          ...(avatarUrl !== undefined && { avatarUrl }),
        }
        if (Object.keys(change).length > 0) await users.updateOne({ _id: id }, { $set: change })
        return (await publicUsers({ _id: id }).toArray()).map(userOf)[0]
      }),

    credentials: (username) => credentials({ username }),
    credentialsById: (id) => credentials({ _id: id }),
    replacePassword: (id, expected, passwordHash) =>
      run(async (again) => {
        const change = { $set: { passwordHash } }
        const { matchedCount } = await users.updateOne({ _id: id, passwordHash: expected }, change)
        // A hash has a salt of its own: if this one is there, we have put it there.
        if (matchedCount > 0 || !again) return matchedCount > 0
        return (await users.findOne({ _id: id, passwordHash })) !== null
      }),

    insertSession: (session) =>
      run(async (again) => {
        await sessions.insertOne(sessionDocument(session)).catch((error) => {
          if (!(again && isDuplicate(error))) throw error
        })
      }),
    session: (id) =>
      run(async () => {
        const found = await sessions.findOne({ _id: id })
        return found ? sessionOf(found) : undefined
      }),
    liveAmong: (ids, now) =>
      run(async () => {
        const live = { _id: { $in: [...ids] }, endedAt: null, expiresAt: { $gt: new Date(now) } }
        const found = sessions.find(live).project<{ _id: string }>({ _id: 1 })
        return (await found.toArray()).map(({ _id }) => _id)
      }),
    liveSessions: (user, now) =>
      run(async () => {
        const live = sessions.find({ user, endedAt: null, expiresAt: { $gt: new Date(now) } })
        return (await live.sort({ lastSeenAt: -1, _id: -1 }).toArray()).map(sessionOf)
      }),
    rotateSession: (id, expectedGeneration, { generation, tokenHash, ...times }) =>
      run(async (again) => {
        const { matchedCount } = await sessions.updateOne(
          { _id: id, generation: expectedGeneration, endedAt: null },
          {
            $set: {
              generation,
              tokenHash,
              lastSeenAt: new Date(times.lastSeenAt),
              expiresAt: new Date(times.expiresAt),
            },
            $currentDate: { rotatedAt: true },
          },
        )
        // Whichever request renewed it: a generation has one token.
        if (matchedCount > 0 || !again) return matchedCount > 0
        return (await sessions.findOne({ _id: id, generation, endedAt: null })) !== null
      }),
    endSession: (id) =>
      run(async () => {
        await sessions.updateOne({ _id: id, endedAt: null }, { $currentDate: { endedAt: true } })
      }),
    endedSessions: (after, limit) =>
      run(async () => {
        const ended = sessions
          .find({ endedAt: { $gt: new Date(after) } })
          .project<{ _id: string; endedAt: Date }>({ endedAt: 1 })
          .sort({ endedAt: 1, _id: 1 })
        const found = await ended.limit(limit).toArray()
        return found.map(({ _id, endedAt }) => ({ id: _id, endedAt: endedAt.getTime() }))
      }),

    counter: (key) =>
      run(async () => {
        const found = await counters.findOne({ _id: key })
        return found ? counterOf(found) : undefined
      }),
    putCounter: ({ key, version, hits, expiresAt }) => {
      const write = crypto.randomUUID()
      return run(async (again) => {
        const put = counters.updateOne(
          { _id: key, version: version - 1 },
          {
            $set: { version, hits, expiresAt: new Date(expiresAt) },
            $push: { writes: { $each: [write], $slice: -REMEMBERED_WRITES } },
          },
          { upsert: version === 1 },
        )
        const { matchedCount, upsertedCount } = await put.catch((error) => {
          if (isDuplicate(error)) return { matchedCount: 0, upsertedCount: 0 }
          throw error
        })
        const isPut = matchedCount + upsertedCount > 0
        if (isPut || !again) return isPut
        return (await counters.findOne({ _id: key, writes: write })) !== null
      })
    },

    prune: (now, sessionsBefore) =>
      run(async () => {
        const before = { $lt: new Date(sessionsBefore) }
        await counters.deleteMany({ expiresAt: { $lt: new Date(now) } })
        await sessions.deleteMany({ endedAt: before })
        await sessions.deleteMany({ expiresAt: before })
      }),
    ping: mongo.ping,
    time,
    clock,
    keys: mongoKeys(mongo, run, linkSecret),
    async [Symbol.asyncDispose]() {
      clock[Symbol.dispose]()
      await mongo[Symbol.asyncDispose]()
    },
  }
}

/** All texts that begin with the prefix, which is not empty: from it to the next text of its length. */
function beginningWith(prefix: string) {
  const points = [...prefix]
  const last = points.pop()?.codePointAt(0) ?? 0
  // Behind the code points that are no characters there are none to begin with.
  const next = last === 0xd7ff ? 0xe000 : Math.min(last + 1, 0x10ffff)
  return { $gte: prefix, $lt: points.join("") + String.fromCodePoint(next) }
}
