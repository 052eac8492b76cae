import { expect, setDefaultTimeout, test } from "bun:test"
import { newDatabase, useTestMongo } from "@parley/engines/test/mongo.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { type Mongo, openMongo } from "@parley/platform/mongo.ts"
import { until } from "@parley/testing/until.ts"
import { execute, parse } from "graphql"
import { MEMBERSHIPS_PER_READ } from "../../limits.ts"
import { createLog } from "../../test/log-builder.ts"
import { unlimitedWork } from "../../test/work.ts"
import { createWorld } from "../../test/world.ts"
import { openSqliteStore } from "../sqlite/sqlite.ts"
import type { Store } from "../store.ts"
import { createMongoStore, openMongoStore } from "./mongo.ts"
import { type ConversationDocument, INDEXES, type MemberDocument, VERSION } from "./shapes.ts"

setDefaultTimeout(60_000)
const server = useTestMongo()

/** What a client asks for when it shows its list. */
const LIST = parse(`{ conversations(first: 30) {
  pageInfo { hasNextPage endCursor }
  edges { node {
    id kind title createdAt head unreadCount me { role delivered read }
    lastMessage { id seq text sentAt sender { id } status }
    members(first: 10) {
      totalCount pageInfo { hasNextPage endCursor }
      edges { node { user { id } role delivered read } }
    }
  } }
} }`)
/** Ten, and what the large group among them costs. */
const MAX_OPERATIONS = 13

test("a page of thirty conversations is a handful of operations, and what it is on SQLite", async () => {
  await using database = newDatabase(server)
  const { store: onMongo, operations } = await openCounted(database.url)
  await using _ = onMongo
  await using onSqlite = openSqliteStore(":memory:")
  for (let i = 0; i < 30; i++) {
    const conversation = `conversation-${String(i).padStart(2, "0")}`
    const log = createLog(conversation)
    // One is large, each tenth has no message, and each third was left as far as it was read.
    const others = Array.from({ length: i === 7 ? 40 : 2 }, (_, user) => `user-${user + 10}`)
    const entries = [log.founded("alice", others)]
    const messages = Array.from({ length: i % 10 === 3 ? 0 : 3 }, (_, text) =>
      log.message([others[0]!, "alice"][(i + text) % 2]!, `${i}: ${text}`),
    )
    for (const store of [onMongo, onSqlite]) {
      expect(await store.append([...entries, ...messages])).toBe(1 + messages.length)
      if (i % 3 === 0) await store.moveMarks(conversation, "alice", { delivered: 4, read: 4 })
    }
  }

  operations.length = 0
  const page = await list(onMongo)
  const said = operations.map(({ name }) => name).join(", ")
  expect(operations.length, said).toBeLessThanOrEqual(MAX_OPERATIONS)
  expect(page).toEqual(await list(onSqlite))
})

test("a list costs nothing for the conversations that its user has left", async () => {
  await using database = newDatabase(server)
  const { store, mongo, operations } = await openCounted(database.url)
  await using _ = store
  await store.append([createLog("present").founded("alice")])
  const past = Array.from({ length: 3 * MEMBERSHIPS_PER_READ }, (_, i) => ({
    ...{ conversation: `past-${i}`, user: "alice", role: "MEMBER" as const, since: 1, joinedAt: 0 },
    ...{ until: 2, delivered: 1, read: 1, changed: 2 },
  }))
  await mongo.collection<MemberDocument>("members").insertMany(past)
  operations.length = 0
  const page = await store.conversations("alice", undefined, 30)
  expect(page.map(({ conversation }) => conversation)).toEqual(["present"])
  const reads = operations.filter(({ name }) => name === "members.find")
  expect(reads).toHaveLength(1)
})

test("a node that has not heard of a conversation for long looks for its end where that was lately", async () => {
  await using database = newDatabase(server)
  const { store, mongo, operations } = await openCounted(database.url)
  await using _ = store
  await using other = await openMongoStore(database.url, silentLogger)
  const log = createLog("conversation")
  await other.append([log.founded("alice")])
  expect((await store.memberships("alice"))[0]?.head).toBe(1)

  for (let i = 0; i < 100; i++) await other.append([log.message("alice")])
  const top = () => mongo.collection<ConversationDocument>("conversations").findOne({})
  await until(async () => (await top())?.top.seq === 101, "the end in the conversation's document")
  operations.length = 0
  expect((await store.memberships("alice"))[0]?.head).toBe(101)
  const [query] = operations.filter(({ name }) => name === "entries.find")
  expect(query?.args[0]).toEqual({ $or: [{ conversation: "conversation", seq: { $gt: 101 } }] })
})

test("memberships that have ended cost no look for the ends of their logs", async () => {
  await using database = newDatabase(server)
  const { store, operations } = await openCounted(database.url)
  await using _ = store
  await using other = await openMongoStore(database.url, silentLogger)
  for (const name of ["past", "present"]) {
    const log = createLog(name)
    const left = name === "past" ? ["bob"] : []
    const entries = [log.founded("alice", ["bob"]), log.changed("alice", { left })]
    for (const entry of [...entries, log.message("alice")]) await other.append([entry])
  }
  operations.length = 0
  expect(await store.memberships("bob")).toMatchObject([
    { conversation: "past", until: 2, head: 2 },
    { conversation: "present", until: null, head: 3 },
  ])
  const asked = JSON.stringify(operations.filter(({ name }) => !name.startsWith("members.")))
  expect(asked).toContain("present")
  expect(asked).not.toContain("past")
})

/** Alice's list, as a node says that has just started. */
async function list(store: Store): Promise<unknown> {
  await using world = await createWorld(1, () => ({ store }))
  const { schema, services, turns } = world.nodes[0]!
  const contextValue = { viewer: "alice", services, work: unlimitedWork(turns) }
  const { data, errors } = await execute({ schema, document: LIST, contextValue })
  expect(errors).toBeUndefined()
  return data
}

interface Operation {
  name: string
  args: unknown[]
}

/** A store whose own reads are counted, without what the registry does beside it. */
async function openCounted(url: string) {
  const options = { url, name: "chat", version: VERSION, indexes: INDEXES, log: silentLogger }
  const { mongo, operations } = counting(await openMongo(options))
  const store = createMongoStore(mongo, silentLogger, await openMongo(options))
  return { store, mongo, operations }
}

/** A connection, and what is read by it. */
function counting(mongo: Mongo): { mongo: Mongo; operations: Operation[] } {
  const operations: Operation[] = []
  const collection: Mongo["collection"] = (name) =>
    new Proxy(mongo.collection(name), {
      get(target, property) {
        const value = Reflect.get(target, property)
        if (typeof value !== "function") return value
        return (...args: unknown[]) => {
          // What a node tidies all the while does not count.
          const isTidying = name === "intents" || property === "bulkWrite"
          if (!isTidying) operations.push({ name: `${name}.${String(property)}`, args })
          return value.apply(target, args)
        }
      },
    }) as never
  return { mongo: { ...mongo, collection }, operations }
}
