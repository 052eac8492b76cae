import { expect, test } from "bun:test"
import { until } from "@parley/service/test/until.ts"
import type { Store } from "../store/store.ts"
import { createWorld, logOf, refusal, send } from "../test/world.ts"

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

test("more than can wait for one conversation is refused with the time to wait", async () => {
  await using world = await createWorld()
  const conversation = await world.nodes[0]!.services.groups.create("alice", "Friends", [])
  const sent = await Promise.allSettled(
    Array.from({ length: 10_100 }, (_, i) => send(world.nodes[0]!, "alice", conversation, `${i}`)),
  )
  const refused = sent.filter((outcome) => outcome.status === "rejected")
  expect(refused.length).toBeGreaterThan(0)
  for (const { reason } of refused) {
    expect(reason).toMatchObject({ code: "RATE_LIMITED", details: { retryAfterMs: 1_000 } })
  }
  expect(await logOf(world.store, conversation)).toHaveLength(1 + sent.length - refused.length)
}, 30_000)

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
