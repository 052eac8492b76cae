import { afterAll, beforeAll, expect, test } from "bun:test"
import { SHARED_NEXT } from "@parley/link/protocol.ts"
import { createMetrics } from "@parley/platform/metrics.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import { createInProcessExchange } from "./bus/in-process.ts"
import { createOutbox } from "./cluster/outbox.ts"
import { watchParts } from "./gauges.ts"
import { openLink } from "./test/link.ts"
import { messageId } from "./test/log-builder.ts"
import { type Node, startNode } from "./test/node.ts"
import { createWorld } from "./test/world.ts"

const folder = temporaryFolder()
let node: Node
let url = ""
beforeAll(async () => {
  const silent = () => {}
  const log = {
    ...{ debugs: false, debug: silent, warn: silent, error: silent },
    info(event: string, fields?: Record<string, unknown>) {
      if (event === "metrics") url = String(fields?.url)
    },
  }
  const observability = { metrics: { port: 0, host: "127.0.0.1" }, traces: undefined }
  node = await startNode(folder.path, { log }, { observability })
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** A node's metrics, by name and labels as they are written. */
async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text()
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ")
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}
const figure = async (name: string) => (await metrics()).get(name)

const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }"

test("a node counts what it stores, acknowledges, refuses and replays, and what is live", async () => {
  const { data } = await node.ask<{ startDirect: { id: string } }>(
    "alice",
    `mutation { startDirect(user: "bob") { id } }`,
  )
  const conversation = data!.startDirect.id
  const input = { id: messageId(), conversation, text: "hello" }
  // The second time it is a retry.
  for (const _ of "12") await node.ask("alice", SEND, { input })
  await node.ask("alice", SEND, { input: { ...input, id: messageId(), text: "" } })
  await node.ask("mallory", SEND, { input: { ...input, id: messageId() } })

  await node.ask("carol", "mutation { updateSettings(input: { mayAdd: NOBODY }) { mayAdd } }")
  await node.ask("alice", `mutation { startDirect(user: "carol") { id } }`)

  await using link = await openLink(node, [SHARED_NEXT])
  const events = "subscription ($after: [PositionInput!]) { events(after: $after) { __typename } }"
  link.subscribe("1", "bob", events, { after: [{ conversation, seq: 0 }] })
  link.subscribe("2", "bob", events)
  await until(async () => (await figure('parley_chat_sessions{phase="live"}')) === 2, "sessions")

  const seen = await metrics()
  const all = {
    'parley_chat_entries_stored_total{kind="members"}': 1,
    'parley_chat_entries_stored_total{kind="message"}': 1,
    parley_chat_acknowledgements_total: 2,
    'parley_chat_limited_total{bound="settings"}': 1,
    'parley_chat_refusals_total{code="BAD_INPUT"}': 1,
    'parley_chat_refusals_total{code="NOT_FOUND"}': 1,
    'parley_chat_replays_total{outcome="recovered"}': 2,
    parley_chat_replay_entries_count: 2,
    parley_chat_replay_entries_sum: 2,
    'parley_chat_sessions{phase="replaying"}': 0,
    parley_chat_rooms: 1,
    'parley_chat_room_queue_events{of="all"}': 0,
    parley_chat_append_queue_intents: 0,
    parley_chat_bus_held_partitions: 1,
    parley_chat_bus_waiting_events: 0,
    parley_chat_bus_lag_records: 0,
    parley_chat_bus_set_aside_records_total: 0,
    parley_chat_sockets: 1,
    'parley_chat_socket_waiting_bytes{of="all"}': 0,
  }
  expect(Object.fromEntries(Object.keys(all).map((name) => [name, seen.get(name)]))).toEqual(all)
  expect(seen.get('parley_chat_store_seconds_count{operation="append"}')).toBeGreaterThan(1)
  expect(seen.get('parley_chat_store_seconds_count{operation="entries"}')).toBeGreaterThan(0)
  expect(seen.get('parley_chat_store_failures_total{operation="append"}')).toBe(0)
  for (const name of seen.keys()) expect(name).not.toMatch(/alice|bob|mallory|[0-9a-f]{8}-/)

  link.complete("1")
  await until(async () => (await figure('parley_chat_sessions{phase="live"}')) === 1, "the end")
})

test("a node that shares its store shows what the others may not have heard of", async () => {
  await using world = await createWorld()
  const outbox = createOutbox({ newLife: () => "n", now: () => 0 })
  const metrics = createMetrics()
  const [chat] = world.nodes
  const bus = createInProcessExchange().join()
  const appender = { append: async () => undefined as never, waiting: () => 7 }
  watchParts(metrics, { hub: chat!.hub, bus, appender, outbox, cluster: () => undefined })
  const position = outbox.reserve(5)
  outbox.stored(position, undefined)
  outbox.doubtful({ node: position.node, number: position.number + 3 }, 2)
  const text = metrics.text()
  expect(text).toContain("\nparley_chat_outbox_unannounced_entries 4\n")
  expect(text).toContain("\nparley_chat_outbox_doubts 2\n")
  expect(text).toContain("\nparley_chat_append_queue_intents 7\n")
  expect(text).toContain("\nparley_chat_estates 0\n")
})

test("where no port is configured there are no metrics", async () => {
  await using world = await createWorld()
  expect(world.nodes[0]!.metrics).toBeUndefined()
})
