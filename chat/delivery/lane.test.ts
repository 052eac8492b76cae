import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { ChatContainer } from "../context.ts"
import { LANE_BYTES, LANE_EVENTS } from "../limits.ts"
import { openSubscription, plainCompiled } from "../test/subscriber.ts"
import { createWorld, send, type World } from "../test/world.ts"
import type { CompiledSubscription } from "./subscription.ts"

let world: World
let node: ChatContainer
let conversation: string
beforeEach(async () => {
  world = await createWorld()
  node = world.nodes[0]!
  conversation = await node.services.groups.create("alice", "Friends", ["bob", "carol", "dave"])
})
afterEach(() => world[Symbol.asyncDispose]())

/** A document whose events wait until they are let go. */
function heldCompiled(shareable = true) {
  const { promise, resolve } = Promise.withResolvers<void>()
  let rendered = 0
  const compiled: CompiledSubscription = {
    shareable,
    async render(event) {
      rendered += 1
      if (event.kind === "entry") await promise
      return JSON.stringify(event)
    },
  }
  return { compiled, letGo: resolve, rendered: () => rendered }
}
async function open(user: string, compiled = plainCompiled()) {
  const subscription = openSubscription(node, user, undefined, { compiled })
  await subscription.replayed
  return subscription
}
const seqs = (subscription: Awaited<ReturnType<typeof open>>) =>
  subscription.entries().map(({ seq }) => seq)
const say = (text?: string) => send(node, "alice", conversation, text)

describe("a document that takes long", () => {
  test("keeps no other document of the conversation waiting, and gets its own in order", async () => {
    const held = heldCompiled()
    const [slow, quick] = [await open("bob", held.compiled), await open("carol")]
    for (let i = 0; i < 5; i++) await say()
    expect(seqs(quick)).toEqual([2, 3, 4, 5, 6])
    expect(seqs(slow)).toEqual([])
    held.letGo()
    await until(() => slow.entries().length === 5, "five messages")
    expect(seqs(slow)).toEqual([2, 3, 4, 5, 6])
  })

  test("is rendered once for a person's devices, though it depends on the viewer", async () => {
    const held = heldCompiled(false)
    const devices = [
      await open("bob", held.compiled),
      await open("bob", held.compiled),
      await open("carol", held.compiled),
    ]
    held.letGo()
    const before = held.rendered()
    await say()
    await until(() => devices.every((device) => device.entries().length === 1), "the message")
    expect(held.rendered() - before).toBe(2)
  })

  test.each([
    ["events", LANE_EVENTS + 2, "short"],
    ["bytes", Math.ceil(LANE_BYTES / 8_000) + 2, "x".repeat(8_000)],
  ])(
    "ends its subscriptions, and no others, where it is too many %s behind",
    async (_what, count, text) => {
      const held = heldCompiled()
      const [slow, quick] = [await open("bob", held.compiled), await open("carol")]
      for (let i = 0; i < count; i++) await say(text)
      expect(slow.error).toMatchObject({ code: "UNAVAILABLE" })
      expect(quick.error).toBeUndefined()
      expect(quick.entries()).toHaveLength(count)
      held.letGo()
      const back = openSubscription(node, "bob", new Map([[conversation, count - 10]]))
      await back.replayed
      expect(back.entries()).toHaveLength(11)
    },
  )

  test("is told of its viewer's leaving and return in this order", async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const bob = await open("bob", {
      shareable: true,
      async render(event) {
        if (event.kind === "entry" && event.entry.seq === 2) await promise
        return JSON.stringify(event)
      },
    })
    await node.services.groups.remove("alice", conversation, "bob")
    await node.services.groups.add("alice", conversation, ["bob"])
    await say()
    resolve()
    await until(() => bob.entries().length === 3, "three entries")
    expect(seqs(bob)).toEqual([2, 3, 4])
    bob.stop()
    expect(node.hub.feeds).toBe(0)
  })
})

test("a watcher that throws ends the subscriptions of that event, and the feed goes on", async () => {
  let isBroken = true
  await using broken = await createWorld(1, () => ({
    tracer: {
      begin(name) {
        if (name === "deliver" && isBroken) throw new Error("the tracer is broken")
        return { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", end() {} }
      },
      async [Symbol.asyncDispose]() {},
    },
  }))
  const [node] = broken.nodes
  const group = await node!.services.groups.create("alice", "Friends", ["bob"])
  const bob = openSubscription(node!, "bob", undefined)
  await bob.replayed
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  const say = (text: string) =>
    node!.services.messages.send(
      "alice",
      { id: Bun.randomUUIDv7("hex", broken.clock.now()), conversation: group, text },
      { requestId: "r", traceparent },
    )
  expect(await say("not told to Bob")).toMatchObject({ seq: 2 })
  expect(bob.error).toMatchObject({ code: "UNAVAILABLE" })
  isBroken = false
  const back = openSubscription(node!, "bob", new Map([[group, 1]]))
  await back.replayed
  await say("told to Bob")
  expect(back.entries().map(({ seq }) => seq)).toEqual([2, 3])
})
