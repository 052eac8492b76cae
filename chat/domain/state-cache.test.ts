import { expect, test } from "bun:test"
import { partitionOf } from "@parley/platform/partition.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import { CATCH_UP_PAGE } from "../limits.ts"
import { createWorld, logOf, send } from "../test/world.ts"
import { createStateCache } from "./state-cache.ts"

test("a node that has heard of a message stores the answer at the first try", async () => {
  const exchange = createInProcessExchange()
  const buses = [exchange.join(), exchange.join()]
  let appends = 0
  await using world = await createWorld(2, (store, node) => ({
    bus: buses[node]!,
    store: {
      ...store,
      append(...args: Parameters<typeof store.append>) {
        appends += 1
        return store.append(...args)
      },
    },
  }))
  const members = ["alice", "bob"]
  for (const [node, user] of members.entries()) {
    await buses[node]!.hold(partitionOf(user, buses[node]!.partitions))
  }
  const [here, there] = world.nodes
  const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
  await send(there!, "bob", conversation, "this node knows the group, too")

  appends = 0
  for (let i = 0; i < 10; i++) await send(i % 2 ? there! : here!, members[i % 2]!, conversation)
  expect(appends).toBe(10)
  expect((await logOf(world.store, conversation)).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 12 }, (_, index) => index + 1),
  )
})

test("what a node hears is looked for once, and changes nothing where the log does not have it", async () => {
  let looks = 0
  await using world = await createWorld(1, (store) => ({
    store: {
      ...store,
      entries(...args: Parameters<typeof store.entries>) {
        looks += 1
        return store.entries(...args)
      },
    },
  }))
  const [node] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
  await send(node!, "alice", conversation, "the first")
  const { states } = node!.services
  states.hear(conversation, 1_000_000)
  states.hear("another", 7)

  looks = 0
  const messages = [await send(node!, "bob", conversation), await send(node!, "bob", conversation)]
  expect(messages.map(({ seq }) => seq)).toEqual([3, 4])
  expect(looks).toBe(1)
})

test("states have so many bytes together, whatever the size of the groups, and grow with them", async () => {
  await using world = await createWorld()
  const [node] = world.nodes
  const newGroup = (members: number) =>
    node!.services.groups.create(
      "alice",
      "Friends",
      Array.from({ length: members }, (_, i) => `member${i}`),
    )
  const large: string[] = []
  for (let i = 0; i < 8; i++) large.push(await newGroup(1_000))
  const states = createStateCache(world.store, 1_000_000)
  for (const conversation of large) await states.get(conversation)
  const kept = () => large.filter((conversation) => states.peek(conversation)).length
  expect(kept()).toBe(3)

  const growing = await newGroup(1)
  const state = await states.get(growing)
  for (let i = 0; i < 500; i++) state.authored.set(`author${i}`, 1)
  for (let i = 0; i < 2_200; i++) state.members.set(`m${i}`, [...state.members.values()][0]!)
  expect(states.peek(growing)).toBe(state)
  expect(kept()).toBe(0)
})

test("a state is caught up once at a time, for all who ask meanwhile", async () => {
  let reads = 0
  await using world = await createWorld(1, (store) => ({
    store: {
      ...store,
      async entries(...args: Parameters<typeof store.entries>) {
        reads += 1
        await new Promise(setImmediate)
        return store.entries(...args)
      },
    },
  }))
  const [node] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
  const { states } = node!.services
  const state = await states.get(conversation)
  reads = 0
  const [first, ...rest] = Array.from({ length: 50 }, () => states.catchUp(state))
  await first
  // What is stored after the first has begun is seen by all who asked after that.
  await Promise.all(rest)
  expect(reads).toBe(2)
})

test("a state that is far behind is loaded anew in one step, and goes on being right", async () => {
  let reads = 0
  await using world = await createWorld(2, (store) => ({
    store: {
      ...store,
      entries(...args: Parameters<typeof store.entries>) {
        reads += 1
        return store.entries(...args)
      },
    },
  }))
  const [here, there] = world.nodes
  const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
  await send(here!, "alice", conversation)
  const state = await here!.services.states.get(conversation)
  for (let i = 0; i < 4 * CATCH_UP_PAGE; i++)
    await send(there!, i % 2 ? "alice" : "bob", conversation)
  await there!.services.groups.add("alice", conversation, ["carol"])
  reads = 0
  await here!.services.states.catchUp(state)
  expect(reads).toBe(1)
  expect(state.head).toBe(4 * CATCH_UP_PAGE + 3)
  expect([...state.members.keys()]).toContain("carol")
  const message = await send(here!, "alice", conversation)
  expect(message.tally).toEqual({
    ...{ messages: 4 * CATCH_UP_PAGE + 2, ofAuthor: 2 * CATCH_UP_PAGE + 2 },
    members: 4 * CATCH_UP_PAGE + 3,
  })
})

test("a node keeps states of 64 MiB, and forgets the least recently used", async () => {
  const members = { size: 1_024 }
  const store = {
    state: (id: string) => Promise.resolve({ id, head: 1, members, authored: { size: 0 } }),
  }
  const states = createStateCache(store as never)
  for (let i = 0; i < 300; i++) await states.get(`${i}`)
  const kept = Array.from({ length: 300 }, (_, i) => states.peek(`${i}`)).filter(Boolean)
  // At 300 bytes a member.
  expect(kept.length).toBe(Math.floor((64 * 1024 * 1024) / (1_000 + 300 * 1_024)))
  expect(states.peek("299")).toBeDefined()
})
