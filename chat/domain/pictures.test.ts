import { expect, test } from "bun:test"
import { partitionOf } from "@parley/service/partition.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import { createWorld, logOf, send } from "../test/world.ts"

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
  const { pictures } = node!.services
  pictures.hear(conversation, 1_000_000)
  pictures.hear("another", 7)

  looks = 0
  const messages = [await send(node!, "bob", conversation), await send(node!, "bob", conversation)]
  expect(messages.map(({ seq }) => seq)).toEqual([3, 4])
  expect(looks).toBe(1)
})
