import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Mongo } from "@parley/engines/mongo.ts"
import { newDatabase, startTestMongo } from "@parley/engines/test/mongo.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { type Mongo as Connection, openMongo } from "@parley/platform/mongo.ts"
import { until } from "@parley/testing/until.ts"
import { MongoClient, MongoNetworkError } from "mongodb"
import { createAppender } from "../../domain/appender.ts"
import type { Entry } from "../../domain/entry.ts"
import { createMessages } from "../../domain/messages.ts"
import { createStateCache } from "../../domain/state-cache.ts"
import { unlimited } from "../../test/lifted.ts"
import { createLog, messageId } from "../../test/log-builder.ts"
import { createShaker, shakeStore } from "../../test/shaker.ts"
import type { Store } from "../store.ts"
import { createMongoStore, openMongoStore } from "./mongo.ts"
import { INDEXES, VERSION } from "./shapes.ts"

setDefaultTimeout(60_000)
const refused = { code: "UNAVAILABLE" }
/** Gives up soon: tests do not wait as people would. */
const hasty = (url: string) =>
  `${url}&socketTimeoutMS=1000&serverSelectionTimeoutMS=1000&heartbeatFrequencyMS=500`

let server: Mongo
beforeAll(async () => {
  server = await startTestMongo()
}, 25 * 60_000)
afterAll(() => server.stop())

const open = (url: string) => openMongoStore(hasty(url), silentLogger)

/** A node's way to write, as far as the log is concerned. */
function writerOn(store: Store) {
  const states = createStateCache(store)
  const clock = { now: () => Date.now() }
  const appender = createAppender({ store, states, clock, onStored: () => undefined })
  return createMessages({ store, appender, clock, allowance: unlimited, storedBytes: unlimited })
}

const seqs = (entries: readonly Entry[]) => entries.map(({ seq }) => seq)
const upTo = (head: number) => Array.from({ length: head }, (_, i) => i + 1)

test.each([1, 2, 3])(
  "writers whose replies overtake one another share a log without holes (seed %p)",
  async (seed) => {
    await using database = newDatabase(server)
    const stores = await Promise.all(
      [1, 2, 3].map(() => openMongoStore(database.url, silentLogger)),
    )
    const shaker = createShaker(seed)
    const writers = stores.map((store) => writerOn(shakeStore(store, shaker)))
    const conversation = crypto.randomUUID()
    const log = createLog(conversation)
    await stores[0]!.append([log.founded("alice", ["bob", "carol"])])
    const sent = await Promise.all(
      upTo(60).map((n) => {
        const id = messageId()
        const by = shaker.pick(["alice", "bob", "carol"])
        return shaker.pick(writers).send(by, { id, conversation, text: `${n}` })
      }),
    )
    const entries = await stores[1]!.entries(conversation, 0, 1_000)
    expect(seqs(entries)).toEqual(upTo(61))
    const stored = new Map(entries.map((entry) => [entry.seq, entry]))
    for (const message of sent) expect(stored.get(message.seq)).toEqual(message)
    for (const store of stores) await store[Symbol.asyncDispose]()
  },
)

/** A connection on which the collection `members` is not there for its next few writes: its node is killed midway. */
async function dyingConnection(url: string) {
  const options = { url: hasty(url), name: "chat", version: VERSION, indexes: INDEXES }
  const connection = await openMongo({ ...options, log: silentLogger })
  const state = { dead: false }
  const dying: Connection = {
    ...connection,
    collection(name) {
      const collection = connection.collection<never>(name)
      if (name !== "members" && name !== "intents") return collection as never
      return new Proxy(collection, {
        get(target, key) {
          const isWrite = key === "bulkWrite" || key === "deleteOne"
          if (state.dead && isWrite) {
            return () => Promise.reject(new MongoNetworkError("killed"))
          }
          const value: unknown = Reflect.get(target, key)
          return typeof value === "function" ? value.bind(target) : value
        },
      }) as never
    },
  }
  return { dying, state }
}

test("a receipt whose answer was lost on the way is still one that moved", async () => {
  await using database = newDatabase(server)
  const options = { url: hasty(database.url), name: "chat", version: VERSION, indexes: INDEXES }
  const connection = await openMongo({ ...options, log: silentLogger })
  const members = connection.collection<never>("members")
  const { findOneAndUpdate } = members
  let answers = true
  members.findOneAndUpdate = (async (...given: Parameters<typeof findOneAndUpdate>) => {
    const found = await findOneAndUpdate.apply(members, given)
    if (answers) return found
    answers = true
    throw new MongoNetworkError("gone")
  }) as typeof findOneAndUpdate
  const collection: Connection["collection"] = (name) =>
    name === "members" ? (members as never) : connection.collection(name)
  await using store = createMongoStore({ ...connection, collection }, silentLogger)
  const conversation = crypto.randomUUID()
  await store.append([createLog(conversation).founded("alice", ["bob"])])
  answers = false
  const moved = await store.moveMarks(conversation, "bob", { delivered: 1, read: 1 })
  expect(moved).toMatchObject({ before: { delivered: 0, read: 0 }, now: { delivered: 1, read: 1 } })
  const later = await store.moveMarks(conversation, "bob", { delivered: 1 })
  expect(later).toMatchObject({ before: { delivered: 1, read: 1 }, now: { delivered: 1, read: 1 } })
})

/** Alice and Bob in a group, and two nodes: one that can store an entry, and not what follows from it; and another. */
async function whereOneDiesMidway() {
  const database = newDatabase(server)
  const { dying, state } = await dyingConnection(database.url)
  const victim = createMongoStore(dying, silentLogger)
  const other = await open(database.url)
  const conversation = crypto.randomUUID()
  const log = createLog(conversation)
  await victim.append([log.founded("alice", ["bob"])])
  state.dead = true
  return {
    ...{ victim, other, log, conversation },
    async [Symbol.asyncDispose]() {
      for (const store of [victim, other]) await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

test("a change of members that its node did not finish is finished by another, within 5 s", async () => {
  await using nodes = await whereOneDiesMidway()
  const { victim, other, log, conversation } = nodes
  const change = log.changed("alice", { joined: ["carol"], left: ["bob"] })
  await expect(victim.append([change])).rejects.toMatchObject(refused)
  const carol = () => other.memberships("carol")
  await until(async () => (await carol()).length > 0, "Carol to be a member", 5_000)
  expect((await other.member(conversation, "bob"))?.until).toBe(2)
  expect(seqs(await other.entries(conversation, 0, 10))).toEqual([1, 2])
})

test("whoever asks what conversations they are in learns of a removal that was not finished", async () => {
  await using nodes = await whereOneDiesMidway()
  const { victim, other, log, conversation } = nodes
  await victim.append([log.changed("alice", { left: ["bob"] })]).catch(() => {})
  expect((await other.member(conversation, "bob"))?.until).toBeNull()
  expect(await other.memberships("bob")).toMatchObject([{ until: 2 }])
})

test("whoever reads a change of members in the log finds the members as it left them", async () => {
  await using nodes = await whereOneDiesMidway()
  const { victim, other, log, conversation } = nodes
  await victim.append([log.changed("alice", { joined: ["carol"] })]).catch(() => {})
  expect(await other.member(conversation, "carol")).toBeUndefined()
  await other.entries(conversation, 1, 10)
  expect(await other.member(conversation, "carol")).toMatchObject({ since: 2, until: null })
})

test("nothing follows a change of members before that change is applied", async () => {
  await using nodes = await whereOneDiesMidway()
  const { victim, other, log, conversation } = nodes
  await victim.append([log.changed("alice", { left: ["bob"] })]).catch(() => {})
  expect((await other.member(conversation, "bob"))?.until).toBeNull()
  expect(await other.append([log.message("alice", "he is gone")])).toBe(1)
  expect((await other.member(conversation, "bob"))?.until).toBe(2)
})

test("what was acknowledged is there once after the server was killed, and nothing before it is missing", async () => {
  await using database = newDatabase(server)
  const store = await open(database.url)
  const conversation = crypto.randomUUID()
  const log = createLog(conversation)
  await store.append([log.founded("alice", ["bob"])])
  const writer = writerOn(store)
  const acknowledged = new Map<string, number>()
  let stopped = false
  /** Sends until it is acknowledged, by the same id, as clients do. */
  async function sendOne(n: number): Promise<void> {
    const id = messageId()
    while (!acknowledged.has(id)) {
      const input = { id, conversation, text: `${n}` }
      const sent = await writer.send("bob", input).catch((error) => error)
      if (!(sent instanceof Error)) acknowledged.set(id, sent.seq)
      else {
        expect(sent).toMatchObject(refused)
        await Bun.sleep(20)
      }
    }
  }
  const senders = upTo(8).map(async (n) => {
    while (!stopped) await sendOne(n)
  })
  for (const goal of [200, 400]) {
    await until(() => acknowledged.size > goal, `${goal} messages`)
    await server.kill()
    await server.restart()
  }
  await until(() => acknowledged.size > 600, "600 messages")
  stopped = true
  await Promise.all(senders)

  const entries = await store.entries(conversation, 0, 100_000)
  expect(seqs(entries)).toEqual(upTo(entries.length))
  const places = new Map(entries.map((entry) => [entry.kind === "message" && entry.id, entry.seq]))
  expect(places.size).toBe(entries.length)
  for (const [id, seq] of acknowledged) expect(places.get(id)).toBe(seq)
  await store[Symbol.asyncDispose]()
})

test("a server that is frozen is UNAVAILABLE before long, and all is well once it goes on", async () => {
  await using database = newDatabase(server)
  const store = await open(database.url)
  const log = createLog(crypto.randomUUID())
  const founded = log.founded("alice")
  await store.append([founded])
  const message = log.message("alice")
  server.freeze()
  try {
    await expect(store.append([message])).rejects.toMatchObject(refused)
    await expect(store.ping()).rejects.toMatchObject(refused)
  } finally {
    server.thaw()
  }
  await until(() => store.ping().then(...answers), "the store to answer again")
  // Nobody knew whether the write would arrive.
  const stored = await store.append([message])
  const entries = await store.entries(founded.conversation, 0, 10)
  expect(stored === 1 || entries.length === 2).toBe(true)
  expect(entries).toEqual([founded, message])
  await store[Symbol.asyncDispose]()
})
const answers = [() => true, () => false] as const

test("a server that comes later is found, and until then everything is UNAVAILABLE", async () => {
  const [port = 0] = claimPorts(1)
  await using store = await open(`mongodb://127.0.0.1:${port}/?directConnection=true`)
  const log = createLog(crypto.randomUUID())
  await expect(store.append([log.founded("alice")])).rejects.toMatchObject(refused)
  await expect(store.ping()).rejects.toThrow(/^The MongoDB at 127\.0\.0\.1:\d+ cannot be used/)
  await using _server = await startTestMongo(port)
  await until(() => store.ping().then(...answers), "the store to be there")
  expect(await store.append([createLog(crypto.randomUUID()).founded("alice")])).toBe(1)
})

test("a database that a newer version has used is refused with a sentence", async () => {
  await using database = newDatabase(server)
  await (await open(database.url))[Symbol.asyncDispose]()
  await using client = new MongoClient(database.url)
  const versions = client.db().collection<{ _id: string; version: number }>("versions")
  await versions.updateOne({ _id: "chat" }, { $set: { version: 7 } })
  await expect(open(database.url)).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(/newer Parley \(version 7 of chat; this one knows \d+\).*\.$/),
  })
})

test("a URL that is none is refused with a sentence that does not repeat a password", async () => {
  const url = "mongodb://alice:secret@127.0.0.1:1,127.0.0.1:2/?directConnection=true&x=y"
  const error = await openMongoStore(url, silentLogger).catch((error) => error)
  expect(error).toMatchObject({ name: "ConfigError" })
  expect(error.message).toMatch(/^MONGODB_URL cannot be used: .*\.$/)
  expect(error.message).not.toContain("secret")
})
