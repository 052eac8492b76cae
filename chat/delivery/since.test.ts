import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import type { ChatContainer } from "../context.ts"
import { MISSED_IN_ONE } from "../limits.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, send, type World } from "../test/world.ts"

const MINUTE = 60_000
let world: World
let node: ChatContainer
/** Look-ups of the store. */
let asked: string[] = []
beforeEach(async () => {
  asked = []
  world = await createWorld(1, (store) => ({
    store: new Proxy(store, {
      get(target, key) {
        if (typeof key === "string") asked.push(key)
        return Reflect.get(target, key)
      },
    }),
  }))
  node = world.nodes[0]!
})
afterEach(() => world[Symbol.asyncDispose]())

const newGroup = (title: string) => node.services.groups.create("alice", title, ["bob"])
async function say(conversation: string, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await send(node, "alice", conversation)
}
/** Bob comes back, having everything up to a time, and otherwise what he names. */
async function resume(since: number, named: [string, number][] = []) {
  const subscription = openSubscription(
    node,
    "bob",
    named.length > 0 ? new Map(named) : undefined,
    {
      since,
    },
  )
  await subscription.replayed
  return subscription
}
const told = (subscription: Awaited<ReturnType<typeof resume>>) =>
  subscription.entries().map(({ conversation, seq }) => `${conversation} ${seq}`)

describe("a client that resumes since a time", () => {
  test("is told of what came after it, and of what it names from where it says", async () => {
    const [quiet, busy, behind] = [await newGroup("a"), await newGroup("b"), await newGroup("c")]
    for (const conversation of [quiet, busy, behind]) await say(conversation, 3)
    const since = world.clock.now()
    world.clock.time += MINUTE
    await say(busy, 2)
    const subscription = await resume(since, [[behind, 2]])
    expect(told(subscription).sort()).toEqual(
      [`${behind} 3`, `${behind} 4`, `${busy} 5`, `${busy} 6`].sort(),
    )
    expect(subscription.readies()).toEqual([{ kind: "ready", recovered: true, reload: [] }])
    await say(quiet)
    expect(told(subscription).at(-1)).toBe(`${quiet} 5`)
  })

  test("is told from the time on, to the ms, where many are of one moment", async () => {
    const conversation = await newGroup("a")
    await say(conversation, 2)
    const since = world.clock.now()
    world.clock.time += 1
    await say(conversation, 2)
    expect(told(await resume(since))).toEqual([`${conversation} 4`, `${conversation} 5`])
    expect(told(await resume(since - 1))).toEqual(
      [1, 2, 3, 4, 5].map((seq) => `${conversation} ${seq}`),
    )
    expect(told(await resume(world.clock.now()))).toEqual([])
  })

  test("hears of a removal and of an addition since then, and of no earlier removal", async () => {
    const [left, gone] = [await newGroup("left"), await newGroup("gone")]
    await node.services.groups.remove("alice", gone, "bob")
    const since = world.clock.now()
    world.clock.time += MINUTE
    await say(left)
    await node.services.groups.remove("alice", left, "bob")
    await say(left)
    await say(gone)
    const joined = await newGroup("joined")
    expect(told(await resume(since)).sort()).toEqual(
      [`${left} 2`, `${left} 3`, `${joined} 1`].sort(),
    )
  })

  test("loads anew what it missed too much of", async () => {
    const [large, small] = [await newGroup("large"), await newGroup("small")]
    const since = world.clock.now()
    world.clock.time += MINUTE
    await say(large, MISSED_IN_ONE + 1)
    await say(small)
    const subscription = await resume(since)
    expect(subscription.readies()).toMatchObject([{ recovered: false, reload: [large] }])
    expect(told(subscription)).toEqual([`${small} 2`])
  })

  test("costs look-ups for what is new alone, however many conversations there are", async () => {
    const groups: string[] = []
    for (let i = 0; i < 2_500; i++) groups.push(await newGroup(`${i}`))
    const since = world.clock.now()
    world.clock.time += MINUTE
    for (const conversation of groups.slice(0, 3)) await say(conversation)
    asked = []
    const subscription = await resume(since)
    expect(told(subscription)).toHaveLength(3)
    const count = (name: string) => asked.filter((one) => one === name).length
    expect([count("memberships"), count("seqAt"), count("entries")]).toEqual([3, 3, 3])
  }, 30_000)
})
