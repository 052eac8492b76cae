import { afterAll, beforeAll, expect, test } from "bun:test"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import type { LogFields, Logger } from "@parley/platform/log.ts"
import type { TracesConfig } from "@parley/platform/observability.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import type { Running } from "@parley/platform/process.ts"
import { type CollectedSpan, startCollector } from "@parley/testing/collector.ts"
import { until } from "@parley/testing/until.ts"
import { createInProcessExchange } from "../chat/bus/in-process.ts"
import { startChat } from "../chat/start.ts"
import { openSqliteStore } from "../chat/store/sqlite/sqlite.ts"
import { messageId } from "../chat/test/log-builder.ts"
import { everyone, SECRET, tokens } from "../chat/test/node.ts"
import { shareStore } from "../chat/test/shared-store.ts"
import { startGateway } from "../gateway/start.ts"
import { heaviest, weightsOf } from "../gateway/upstream/placement.ts"
import { connectSocket } from "../testing/frames.ts"

const PARTITIONS = 64
const TEXT = "a text that nobody may find in a log"
const CLIENTS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
const EVENTS = "subscription { events { __typename ... on MessageSent { message { text } } } }"
const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }"

type Line = LogFields & { service: string; event: string }

const lines: Line[] = []
const logOf = (service: string): Logger => {
  const at = (event: string, fields?: LogFields) => void lines.push({ ...fields, service, event })
  return { debugs: true, debug: at, info: at, warn: at, error: at }
}

const collector = startCollector()
const tracesOf = (serviceName: string): TracesConfig => ({
  ...{ endpoint: collector.url, sampler: "parentbased_always_off", ratio: 1, serviceName },
})
/** An auth of which no more is asked than which sessions have ended: none has. */
const auth = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => Response.json({ sessions: [], now: Date.now() }),
})
const common = (name: string) => ({
  ...{ port: 0, host: "127.0.0.1", publicUrl: "http://localhost", linkSecret: SECRET },
  authUrls: [`http://127.0.0.1:${auth.port}`],
  logLevel: "debug" as const,
  observability: { metrics: undefined, traces: tracesOf(name) },
})

/** How many nodes that node knows. */
async function nodesAt(url: string): Promise<number> {
  const headers = { [SECRET_HEADER]: SECRET }
  const response = await fetch(new URL("/internal/nodes", url), { headers })
  return (await response.json()).nodes.length
}

/** Two nodes that share a store and a bus, and a gateway before them. */
async function startTwoNodes() {
  const store = openSqliteStore(":memory:")
  const shared = { ...shareStore(store), async [Symbol.asyncDispose]() {} }
  const exchange = createInProcessExchange()
  const nodes: Running[] = []
  for (const name of ["chat-1", "chat-2"]) {
    const config = { ...common(name), dataDir: "", nodeUrl: undefined, cluster: undefined }
    const overrides = { store: shared, bus: exchange.join(), tokens, directory: everyone }
    nodes.push(await startChat(config, { ...overrides, log: logOf(name), beatEvery: 20 }))
  }
  const chatUrls = nodes.map(({ port }) => `http://127.0.0.1:${port}`)
  for (const url of chatUrls) {
    await until(async () => (await nodesAt(url)) === 2, "both nodes to know of each other")
  }
  const settings = { webUrl: undefined, introspection: true, chatUrls }
  const gateway = await startGateway(
    { ...common("gateway"), ...settings },
    { tokens, log: logOf("gateway"), every: 20 },
  )
  const linked = () => lines.filter(({ event, subgraph }) => event === "link up" && subgraph)
  // Each node has a connection for answers and one for events.
  await until(() => linked().length === 4, "both links")
  return {
    url: `http://127.0.0.1:${gateway.port}`,
    chatUrls,
    async stop() {
      await gateway.stop()
      await Promise.all(nodes.map((node) => node.stop()))
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Somebody whose sessions are on that node. */
function someoneOn(url: string, chatUrls: readonly string[]): string {
  const nodes = chatUrls.map((url) => ({ url, weights: weightsOf(url, PARTITIONS) }))
  for (let i = 0; ; i++) {
    const place = heaviest(nodes, partitionOf(`user${i}`, PARTITIONS), () => true)
    if (place?.url === url) return `user${i}`
  }
}

let parley: Awaited<ReturnType<typeof startTwoNodes>>
/** Of the request that sent the message, as its sender was told. */
let requestId: string
let seq: number
let conversation: string
const id = messageId()

beforeAll(async () => {
  parley = await startTwoNodes()
  const [alice, bob] = parley.chatUrls.map((url) => someoneOn(url, parley.chatUrls))
  const post = (query: string, variables: object, headers = {}) =>
    fetch(`${parley.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${alice}`, ...headers },
      body: JSON.stringify({ query, variables }),
    })
  const started = await post("mutation ($of: ID!) { startDirect(user: $of) { id } }", { of: bob })
  conversation = (await started.json()).data.startDirect.id

  const socket = await connectSocket(parley.url.replace("http", "ws"))
  socket.send({ type: "connection_init", payload: { authorization: `Bearer ${bob}` } })
  await socket.next("connection_ack")
  socket.subscribe("e", EVENTS)
  await socket.next("next", "e")
  lines.length = 0

  const input = { id, conversation, text: TEXT }
  const response = await post(SEND, { input }, { traceparent: CLIENTS })
  requestId = response.headers.get("x-request-id")!
  seq = (await response.json()).data.sendMessage.seq
  await socket.next("next", "e")
  await until(() => lines.some(({ event }) => event === "event sent"), "the last line")
  socket.close()
  await parley.stop()
})
afterAll(() => collector[Symbol.dispose]())

test("one message is followed by its request's id, from the sender's gateway to the receiver's socket", () => {
  const own = lines.filter((line) => line.requestId === requestId)
  const about = { requestId, conversation, seq, id }
  const of = (service: string) => own.filter((line) => line.service === service)
  const named = (service: string, event: string, more: object) => ({ service, event, ...more })
  expect(of("chat-1")).toEqual([
    named("chat-1", "entry stored", about),
    named("chat-1", "event published", about),
  ])
  expect(of("chat-2")).toEqual([
    named("chat-2", "event received", about),
    named("chat-2", "event delivered", { ...about, sessions: 1 }),
  ])
  const operation = { requestId, operation: "mutation sendMessage" }
  expect(of("gateway")).toHaveLength(3)
  for (const line of [
    named("gateway", "operation received", operation),
    named("gateway", "operation answered", { ...operation, outcome: "OK" }),
    named("gateway", "event sent", { requestId, sockets: 1 }),
  ]) {
    expect(of("gateway")).toContainEqual(line as Line)
  }
  expect(JSON.stringify(lines)).not.toContain(TEXT)
})

test("its steps are one trace, across both nodes", () => {
  const { spans } = collector
  const step = (service: string, name: string): CollectedSpan => {
    const found = spans.filter((span) => span.service === service && span.name === name)
    expect(found).toHaveLength(1)
    return found[0]!
  }
  const root = step("gateway", "mutation sendMessage")
  const answer = step("chat-1", "mutation sendMessage")
  const publish = step("chat-1", "publish")
  const deliver = step("chat-2", "deliver")
  const parents = [
    [root.parentSpanId, "00f067aa0ba902b7"],
    [answer.parentSpanId, root.spanId],
    [step("chat-1", "append").parentSpanId, answer.spanId],
    [publish.parentSpanId, answer.spanId],
    [deliver.parentSpanId, publish.spanId],
    [step("gateway", "send").parentSpanId, deliver.spanId],
  ]
  for (const [parent, expected] of parents) expect(parent).toBe(expected!)
  // The sampler keeps nothing but what its client has asked for.
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(
    new Set(["4bf92f3577b34da6a3ce929d0e0e4736"]),
  )
  expect(spans).toHaveLength(6)
  expect(deliver.attributes).toMatchObject({
    "parley.conversation": conversation,
    "parley.seq": seq,
  })
  expect(
    JSON.stringify(spans, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
  ).not.toContain(TEXT)
})
