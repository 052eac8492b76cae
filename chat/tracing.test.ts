import { afterEach, describe, expect, test } from "bun:test"
import { type LogFields, type Logger, silentLogger } from "@parley/platform/log.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import { until } from "@parley/testing/until.ts"
import { messageId } from "./test/log-builder.ts"
import { openSubscription } from "./test/subscriber.ts"
import { createWorld, send, type World } from "./test/world.ts"
import { createTracing } from "./tracing.ts"

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736"
const ASKED = { requestId: "a1b2-7", traceparent: `${TRACE}-00f067aa0ba902b7-01` }

interface Span {
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
  const spans: Span[] = []
  const logOf = (node: number): Logger => ({
    ...silentLogger,
    debugs: true,
    debug: (event, fields) => void lines.push({ node, event, ...fields }),
  })
  const tracerOf = (node: number): Tracer => ({
    begin(name, _kind, parent, about) {
      const traceparent = `${TRACE}-${`${spans.length}`.padStart(16, "a")}-01`
      const span: Span = { node, name, parent, traceparent, about, failure: "it has not ended" }
      spans.push(span)
      return {
        traceparent,
        end: (failure) => {
          span.failure = failure
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
  const alice = openSubscription(first, "alice", undefined)
  const bob = openSubscription(second, "bob", undefined)
  for (const { subscription } of [alice, bob])
    await until(() => subscription.phase === "live", "sessions")
  lines.length = spans.length = 0
  return { first, second, conversation, alice, bob, lines, spans }
}

test("nobody's tracing is followed where nobody looks", async () => {
  world = await createWorld()
  expect(createTracing(silentLogger, undefined)).toBeUndefined()
})

describe("the log", () => {
  test("names a message's request at each span, on every node, and never what it says", async () => {
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
  test("goes on from span to span, and from node to node", async () => {
    const { first, conversation, alice, bob, spans } = await begin({ traces: true })
    const sending = { id: messageId(world.clock.now()), conversation, text: "a text of hers" }
    const { seq } = await first.services.messages.send("alice", sending, ASKED)
    await until(() => bob.entries().length === 1 && spans.length === 4, "four spans")
    await until(() => spans.every(({ failure }) => failure === undefined), "the end of each")
    const span = (node: number, name: string) =>
      spans.find((one) => one.node === node && one.name === name)
    expect(span(0, "append")?.parent).toBe(ASKED.traceparent)
    expect(span(0, "deliver")?.parent).toBe(ASKED.traceparent)
    expect(span(0, "publish")?.parent).toBe(ASKED.traceparent)
    expect(span(1, "deliver")?.parent).toBe(span(0, "publish")!.traceparent)
    for (const { about } of spans) {
      expect(about).toEqual({
        ...{ "parley.conversation": conversation, "parley.seq": seq, "parley.id": sending.id },
      })
    }
    // The gateways are told of the span that has sent them the event.
    expect(alice.causes.at(-1)).toEqual({
      requestId: "a1b2-7",
      traceparent: span(0, "deliver")!.traceparent,
    })
    expect(bob.causes.at(-1)).toEqual({
      requestId: "a1b2-7",
      traceparent: span(1, "deliver")!.traceparent,
    })
  })

  test("says where an event could not be published", () => {
    const spans: (string | undefined)[] = []
    const tracer: Tracer = {
      begin: () => ({ traceparent: ASKED.traceparent, end: (failure) => void spans.push(failure) }),
      async [Symbol.asyncDispose]() {},
    }
    const receipt = {
      kind: "receipt",
      conversation: "c",
      user: "u",
      delivered: 1,
      read: 1,
    } as const
    const publishing = createTracing(silentLogger, tracer)!.publishing({ ...receipt, cause: ASKED })
    publishing.until(Promise.reject(new Error("too much waits")))
    return until(() => spans.length === 1, "the end").then(() =>
      expect(spans).toEqual(["UNAVAILABLE"]),
    )
  })

  test("has no spans of what nobody asked for", async () => {
    const { first, conversation, bob, spans } = await begin({ traces: true })
    await send(first, "alice", conversation)
    await until(() => bob.entries().length === 1, "the message")
    expect(spans).toEqual([])
    expect(bob.causes.at(-1)).toBeUndefined()
  })
})

test("without a tracing, whoever is told of an event still hears what brought it about", async () => {
  const { first, conversation, bob } = await begin({})
  await first.services.messages.send(
    "alice",
    { id: messageId(world.clock.now()), conversation, text: "hello" },
    { requestId: "a1b2-7" },
  )
  await until(() => bob.entries().length === 1, "the message")
  expect(bob.causes.at(-1)).toEqual({ requestId: "a1b2-7" })
})
