import { expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { MAX_WAITING_OF_ONE } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { messageId } from "../test/log-builder.ts"
import { createWorld, logOf, refusal, send } from "../test/world.ts"
import { createAppender } from "./appender.ts"
import type { Entry } from "./entry.ts"

/** Two nodes; the first one's look-ups of how much an author has written wait until they are let go. */
async function createHeldWorld() {
  let isHeld = false
  let asked = 0
  const waiting: (() => void)[] = []
  const world = await createWorld(2, (store, node) =>
    node > 0
      ? {}
      : {
          store: {
            ...store,
            async countMessages(...args: Parameters<Store["countMessages"]>) {
              const count = await store.countMessages(...args)
              asked += 1
              if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve))
              return count
            },
          },
        },
  )
  return {
    ...world,
    hold() {
      isHeld = true
      asked = 0
    },
    asked: () => until(() => asked > 0, "the look-up"),
    letGo() {
      isHeld = false
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

test("a member who is removed while their message is being placed does not get it in", async () => {
  await using world = await createHeldWorld()
  const [here, elsewhere] = world.nodes
  const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
  await send(here!, "alice", conversation, "the node knows the group")
  world.hold()
  const sending = refusal(send(here!, "bob", conversation, "am I still in?"))
  await world.asked()
  await elsewhere!.services.groups.remove("alice", conversation, "bob")
  // Somebody reads, and the node learns of the removal after it has checked the message.
  await here!.services.receipts.mark("alice", conversation, "read", 3)
  world.letGo()
  expect(await sending).toMatchObject({ code: "NOT_FOUND" })
  expect((await logOf(world.store, conversation)).map(({ kind }) => kind)).toEqual([
    "members",
    "message",
    "members",
  ])
})

test("messages written elsewhere while one is being placed are counted", async () => {
  await using world = await createHeldWorld()
  const [here, elsewhere] = world.nodes
  const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
  await send(here!, "alice", conversation, "the node knows the group")
  world.hold()
  const sending = send(here!, "bob", conversation, "from this device")
  await world.asked()
  await send(elsewhere!, "bob", conversation, "from that one")
  await here!.services.receipts.mark("alice", conversation, "read", 3)
  world.letGo()
  expect((await sending).tally).toEqual({ messages: 3, ofAuthor: 2, members: 1 })
})

test("of one sender no more waits than may, and what is refused is told the time to wait", async () => {
  await using world = await createWorld()
  const conversation = await world.nodes[0]!.services.groups.create("alice", "Friends", [])
  const sent = await Promise.allSettled(
    Array.from({ length: MAX_WAITING_OF_ONE + 100 }, (_, i) =>
      send(world.nodes[0]!, "alice", conversation, `${i}`),
    ),
  )
  const refused = sent.filter((outcome) => outcome.status === "rejected")
  // One is being stored while the others wait.
  expect(refused).toHaveLength(99)
  for (const { reason } of refused) {
    expect(reason).toMatchObject({ code: "RATE_LIMITED", details: { retryAfterMs: 1_000 } })
  }
  const log = await logOf(world.store, conversation)
  const stored = Array.from({ length: MAX_WAITING_OF_ONE + 1 }, (_, i) => `${i}`)
  expect(log.slice(1).map((entry) => "text" in entry && entry.text)).toEqual(stored)
})

test("what a member sends into a group that others flood goes with the next batch", async () => {
  const writes: Entry[][] = []
  await using world = await createWorld(1, (store) => ({
    store: {
      ...store,
      append(entries) {
        writes.push([...entries])
        return store.append(entries)
      },
    },
  }))
  const [node] = world.nodes
  const flooders = ["mallory", "trent", "oscar"]
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob", ...flooders])
  const flood = flooders.flatMap((by) =>
    Array.from({ length: 1_500 }, () => send(node!, by, conversation).catch(() => undefined)),
  )
  const writesBefore = writes.length
  const fromBob = [1, 2, 3].map((n) => send(node!, "bob", conversation, `${n}`))
  await Promise.all(fromBob)
  const ofBob = writes.flatMap((entries, index) =>
    entries.some(({ by }) => by === "bob") ? [index - writesBefore] : [],
  )
  // The first of the flood is on its way alone, and all of Bob's go with what follows.
  expect(ofBob).toEqual([1])
  expect((await Promise.all(fromBob)).map(({ text }) => text)).toEqual(["1", "2", "3"])
  await Promise.all(flood)
})

test("a change of members waits for no flood, and a flood of changes keeps no message waiting", async () => {
  await using world = await createWorld()
  const [node] = world.nodes
  const { groups } = node!.services
  const conversation = await groups.create("alice", "Friends", ["bob", "carol"])
  const flood = Array.from({ length: 900 }, () => send(node!, "bob", conversation))
  await groups.add("alice", conversation, ["dave"])
  const log = await logOf(world.store, conversation)
  expect(log.findIndex((entry) => entry.seq > 1 && entry.kind === "members")).toBeLessThan(600)
  await Promise.all(flood)

  const joining = Array.from({ length: 200 }, (_, i) =>
    groups.add("alice", conversation, [`user${i}`]),
  )
  const before = (await logOf(world.store, conversation)).length
  const { seq } = await send(node!, "carol", conversation)
  expect(seq - before).toBeLessThan(5)
  await Promise.all(joining)
})

test("retries of what is stored are looked up together, and the rest is stored", async () => {
  let appends = 0
  let sentEntries = 0
  let lookups = 0
  await using world = await createWorld(2, (store) => ({
    store: {
      ...store,
      append(entries) {
        appends += 1
        sentEntries += entries.length
        return store.append(entries)
      },
      messagesById(ids) {
        lookups += 1
        return store.messagesById(ids)
      },
    },
  }))
  const [node, other] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
  const texts = Array.from({ length: 256 }, (_, i) => ({
    ...{ id: messageId(Date.UTC(2026, 0, 1)), text: `${i}` },
  }))
  const sendAll = (to: typeof node, by: (index: number) => boolean) =>
    Promise.all(
      texts
        .filter((_, i) => by(i))
        .map(({ id, text }) => send(to!, "alice", conversation, text, id)),
    )
  // Every other one has been stored, and every answer was lost.
  await sendAll(node, (i) => i % 2 === 0)
  ;[appends, sentEntries, lookups] = [0, 0, 0]
  const answered = await sendAll(other, () => true)
  expect(answered.map(({ text }) => text)).toEqual(texts.map(({ text }) => text))
  expect(await logOf(world.store, conversation)).toHaveLength(1 + texts.length)
  expect(new Set(answered.map(({ seq }) => seq)).size).toBe(texts.length)
  // The first goes alone, and is refused; of the others the one batch is looked up once.
  expect(lookups).toBeLessThanOrEqual(3)
  expect(appends).toBeLessThanOrEqual(4)
  expect(sentEntries).toBeLessThanOrEqual(1 + 255 + 128)
})

test("an entry whose telling fails is acknowledged, and so is what follows it in its batch", async () => {
  await using world = await createWorld()
  const [node] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", [])
  const told: number[] = []
  const announced: (Promise<void> | undefined)[] = []
  const appender = createAppender({
    ...{ store: world.store, states: node!.services.states, clock: world.clock },
    onStored({ seq }) {
      told.push(seq)
      if (seq === 3) throw new Error("the telling fails")
      return undefined
    },
    outbox: {
      reserve: () => ({ node: "here", number: 1 }),
      stored: (_, published) => void announced.push(published),
      unused() {},
      doubtful() {},
    },
  })
  const write = (text: string) =>
    appender.append(conversation, {
      ...{ by: "alice", bytes: 1, changesMembers: false },
      check: () => ({ kind: "message", by: "alice", id: messageId(), text }),
      result: (_picture, entry) => entry!.seq,
    })
  expect(await Promise.all(["one", "two", "three"].map(write))).toEqual([2, 3, 4])
  expect(told).toEqual([2, 3, 4])
  const outcomes = await Promise.allSettled(announced)
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
})

test("one conversation's batches are single writes", async () => {
  const writes: number[] = []
  await using world = await createWorld(1, (store) => ({
    store: {
      ...store,
      append(entries) {
        writes.push(entries.length)
        return store.append(entries)
      },
    },
  }))
  const [node] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
  const sent = Array.from({ length: 300 }, () => send(node!, "alice", conversation))
  const added = node!.services.groups.add("alice", conversation, ["carol"])
  await Promise.all([...sent, added])
  // What came first goes alone, what waited behind it together, a change of members by itself.
  expect(writes).toEqual([1, 1, 256, 43, 1])
})
