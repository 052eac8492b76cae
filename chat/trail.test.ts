import { afterEach, describe, expect, test } from "bun:test"
import { type LogFields, type Logger, silentLogger } from "@parley/platform/log.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import { until } from "@parley/testing/until.ts"
import { messageId } from "./test/log-builder.ts"
import { openSession } from "./test/subscriber.ts"
import { createWorld, send, type World } from "./test/world.ts"
import { createTrail } from "./trail.ts"

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736"
const ASKED = { requestId: "a1b2-7", traceparent: `${TRACE}-00f067aa0ba902b7-01` }

interface Step {
  node: number
  name: string
  parent: string | undefined
  traceparent: string
  about: object | undefined
  failure: string | undefined
}

let world: World
afterEach(() => world[Symbol.asyncDispose]())

/** Alice's and Bob's conversation on two nodes, Alice with a subscription on the first and Bob on the second. */
async function begin(watch: { logs?: boolean; traces?: boolean }) {
  const lines: (LogFields & { node: number; event: string })[] = []
  const steps: Step[] = []
  const logOf = (node: number): Logger => ({
    ...silentLogger,
    debugs: true,
    debug: (event, fields) => void lines.push({ node, event, ...fields }),
  })
  const tracerOf = (node: number): Tracer => ({
    begin(name, _kind, parent, about) {
      const traceparent = `${TRACE}-${`${steps.length}`.padStart(16, "a")}-01`
      const step: Step = { node, name, parent, traceparent, about, failure: "it has not ended" }
      steps.push(step)
      return {
        traceparent,
        end: (failure) => {
          step.failure = failure
        },
      }
    },
    async [Symbol.asyncDispose]() {},
  })
  world = await createWorld(2, (_, node) => ({
    ...(watch.logs ? { log: logOf(node) } : {}),
    ...(watch.traces ? { tracer: tracerOf(node) } : {}),
  }))
  const [first, second] = world.nodes as [World["nodes"][0], World["nodes"][0]]
  const conversation = await first.services.groups.startDirect("alice", "bob")
  const alice = openSession(first, "alice", undefined)
  const bob = openSession(second, "bob", undefined)
  for (const { subscription } of [alice, bob])
    await until(() => subscription.phase === "live", "sessions")
  lines.length = steps.length = 0
  return { first, second, conversation, alice, bob, lines, steps }
}

test("nobody's trail is followed where nobody looks", async () => {
  world = await createWorld()
  expect(createTrail(silentLogger, undefined)).toBeUndefined()
})

describe("the log", () => {
  test("names a message's request at each step, on every node, and never what it says", async () => {
    const { first, conversation, lines } = await begin({ logs: true })
    const sending = { id: messageId(world.clock.now()), conversation, text: "a text of hers" }
    const { seq } = await first.services.messages.send("alice", sending, { requestId: "a1b2-7" })
    await until(() => lines.length === 5, "five lines")
    const about = { requestId: "a1b2-7", conversation, seq, id: sending.id }
    const of = (node: number) => lines.filter((line) => line.node === node)
    expect(of(0)).toEqual([
      { node: 0, event: "entry stored", ...about },
      { node: 0, event: "event delivered", ...about, sessions: 1 },
      { node: 0, event: "event published", ...about },
    ])
    expect(of(1)).toEqual([
      { node: 1, event: "event received", ...about },
      { node: 1, event: "event delivered", ...about, sessions: 1 },
    ])
    expect(JSON.stringify(lines)).not.toContain("a text of hers")
  })

  test("names the request of a receipt and of a change of members too", async () => {
    const { first, second, conversation, lines } = await begin({ logs: true })
    const { seq } = await send(first, "alice", conversation)
    lines.length = 0
    await second.services.receipts.mark("bob", conversation, "read", seq, { requestId: "r-1" })
    await until(() => lines.length === 4, "four lines")
    expect(lines.map(({ node, event }) => `${node} ${event}`).sort()).toEqual([
      ...["0 event delivered", "0 event received", "1 event delivered", "1 event published"],
    ])
    for (const line of lines) {
      expect(line).toMatchObject({ requestId: "r-1", conversation, receipt: seq })
    }
    lines.length = 0
    await first.services.groups.create("alice", "ours", ["bob"], { requestId: "r-2" })
    await until(() => lines.length === 5, "five lines")
    for (const line of lines) expect(line.requestId).toBe("r-2")
  })
})

describe("a trace", () => {
  test("goes on from step to step, and from node to node", async () => {
    const { first, conversation, alice, bob, steps } = await begin({ traces: true })
    const sending = { id: messageId(world.clock.now()), conversation, text: "a text of hers" }
    const { seq } = await first.services.messages.send("alice", sending, ASKED)
    await until(() => bob.entries().length === 1 && steps.length === 4, "four steps")
    await until(() => steps.every(({ failure }) => failure === undefined), "the end of each")
    const step = (node: number, name: string) =>
      steps.find((one) => one.node === node && one.name === name)
    expect(step(0, "append")?.parent).toBe(ASKED.traceparent)
    expect(step(0, "deliver")?.parent).toBe(ASKED.traceparent)
    expect(step(0, "publish")?.parent).toBe(ASKED.traceparent)
    expect(step(1, "deliver")?.parent).toBe(step(0, "publish")!.traceparent)
    for (const { about } of steps) {
      expect(about).toEqual({
        ...{ "parley.conversation": conversation, "parley.seq": seq, "parley.id": sending.id },
      })
    }
    // The gateways are told of the step that has sent them the event.
    expect(alice.causes.at(-1)).toEqual({
      requestId: "a1b2-7",
      traceparent: step(0, "deliver")!.traceparent,
    })
    expect(bob.causes.at(-1)).toEqual({
      requestId: "a1b2-7",
      traceparent: step(1, "deliver")!.traceparent,
    })
  })

  test("says where an event could not be published", () => {
    const steps: (string | undefined)[] = []
    const tracer: Tracer = {
      begin: () => ({ traceparent: ASKED.traceparent, end: (failure) => void steps.push(failure) }),
      async [Symbol.asyncDispose]() {},
    }
    const receipt = {
      kind: "receipt",
      conversation: "c",
      user: "u",
      delivered: 1,
      read: 1,
    } as const
    const publishing = createTrail(silentLogger, tracer)!.publishing({ ...receipt, cause: ASKED })
    publishing.until(Promise.reject(new Error("too much waits")))
    return until(() => steps.length === 1, "the end").then(() =>
      expect(steps).toEqual(["UNAVAILABLE"]),
    )
  })

  test("has no steps of what nobody asked for", async () => {
    const { first, conversation, bob, steps } = await begin({ traces: true })
    await send(first, "alice", conversation)
    await until(() => bob.entries().length === 1, "the message")
    expect(steps).toEqual([])
    expect(bob.causes.at(-1)).toBeUndefined()
  })
})

test("without a trail, whoever is told of an event still hears what brought it about", async () => {
  const { first, conversation, bob } = await begin({})
  await first.services.messages.send(
    "alice",
    { id: messageId(world.clock.now()), conversation, text: "hello" },
    { requestId: "a1b2-7" },
  )
  await until(() => bob.entries().length === 1, "the message")
  expect(bob.causes.at(-1)).toEqual({ requestId: "a1b2-7" })
})
