import { afterEach, describe, expect, test } from "bun:test"
import { unauthenticated } from "@parley/platform/errors.ts"
import { type LogFields, type Logger, silentLogger } from "@parley/platform/log.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import { until } from "@parley/testing/until.ts"
import { createLink } from "../upstream/link.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld, type World } from "./world.ts"

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736"
const CLIENTS = `${TRACE}-00f067aa0ba902b7-01`
const EVENTS = "subscription { events { __typename ... on MessageSent { message { text } } } }"
const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }"

let world: World
afterEach(() => world[Symbol.asyncDispose]())

/** A logger that keeps what it is told, at debug and above. */
function createWatch() {
  const lines: ({ event: string } & LogFields)[] = []
  const at = (event: string, fields?: LogFields) => void lines.push({ event, ...fields })
  const log: Logger = { debugs: true, debug: at, info: at, warn: at, error: at }
  return { log, lines, of: (event: string) => lines.filter((line) => line.event === event) }
}

async function subscribe(user: string, times = 1) {
  const before = world.chat.subscriptions.size
  const socket = await world.socket({ init: await world.bearer(user, `s-${Math.random()}`) })
  for (let i = 0; i < times; i++) socket.subscribe(`e${i}`, EVENTS)
  await until(() => world.chat.subscriptions.size === before + times, "the subscriptions")
  return socket
}

/** Lets an event happen as a chat node does, with what brought it about. */
function deliver(cause: { requestId: string; traceparent?: string }): void {
  const all = [...world.chat.subscriptions]
  const payload = JSON.stringify({ data: { events: { __typename: "MessageSent", ...SAID } } })
  all[0]!.link.deliver(
    all.map(({ id }) => id),
    payload,
    cause,
  )
}
const SAID = { message: { text: "a text of hers" } }

describe("a request", () => {
  test("has an id, which its client, the log and the subgraph are told", async () => {
    const { log, of, lines } = createWatch()
    world = await startWorld({}, { log })
    const ask = async () => {
      const body = { query: SEND, variables: { input: { id: "m1", text: "a text of hers" } } }
      const input = { ...body.variables.input, conversation: "c1" }
      return world.post({ ...body, variables: { input } }, await world.bearer(ALICE.id))
    }
    const [first, second] = [await ask(), await ask()]
    expect(first.status).toBe(200)
    const requestId = first.headers.get("x-request-id")
    expect(requestId).toMatch(/^[\w-]{3,64}$/)
    expect(second.headers.get("x-request-id")).not.toBe(requestId)
    expect(world.chat.knobs.calls[0]?.cause).toEqual({ requestId: requestId! })
    const operation = "mutation sendMessage"
    expect(of("operation received")[0]).toMatchObject({ requestId, operation })
    expect(of("operation answered")[0]).toMatchObject({ requestId, operation, outcome: "OK" })
    expect(JSON.stringify(lines)).not.toContain("a text of hers")
  })

  test("that is refused has one too", async () => {
    const { log } = createWatch()
    world = await startWorld({}, { log })
    for (const body of ["{", { query: "{" }, { query: "{ sessions { id } }" }]) {
      expect((await world.post(body)).headers.get("x-request-id")).toMatch(/^[\w-]{3,64}$/)
    }
  })

  test("is named by whatever is logged of it", async () => {
    const { log, of } = createWatch()
    const tokens = {
      verify() {
        throw unauthenticated()
      },
    }
    world = await startWorld({}, { log, tokens })
    const query = `mutation { signIn(input: { username: "alice", password: "secret" }) { id } }`
    const response = await world.post({ query })
    const [line] = of("auth set a token that is not valid")
    expect(line?.requestId).toBe(response.headers.get("x-request-id"))
  })
})

describe("an event", () => {
  test("is logged with the request that brought it about, and to how many sockets it went", async () => {
    const { log, of, lines } = createWatch()
    world = await startWorld({}, { log })
    const alice = await subscribe(ALICE.id, 2)
    await subscribe(BOB.id)
    deliver({ requestId: "another-7" })
    await alice.next("next")
    expect(of("event sent")).toEqual([{ event: "event sent", requestId: "another-7", sockets: 2 }])
    expect(JSON.stringify(lines)).not.toContain("a text of hers")
  })

  test("comes without its cause where the gateway has no use for it", async () => {
    world = await startWorld()
    expect(await featuresAsked(false)).toEqual(["shared-next"])
    expect(await featuresAsked(true)).toEqual(["shared-next", "cause"])
  })
})

/** What a link names in its `connection_init`. */
async function featuresAsked(wantsCauses: boolean): Promise<string[]> {
  const first = Promise.withResolvers<string>()
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response()),
    websocket: { message: (_socket, frame) => first.resolve(String(frame)) },
  })
  const link = createLink({
    ...{ subgraph: "chat", url: `http://127.0.0.1:${server.port}`, secret: "s" },
    ...{ log: silentLogger, onShared() {}, onState() {}, wantsCauses },
  })
  const { payload } = JSON.parse(await first.promise)
  link.close()
  await server.stop(true)
  return payload.features
}

test("a trace goes on from the client to the subgraph, and from an event's cause to the sockets", async () => {
  const steps: { name: string; parent: string | undefined; failure: string | undefined }[] = []
  const tracer: Tracer = {
    begin: (name, _kind, parent) => ({
      traceparent: `${TRACE}-000000000000000a-01`,
      end: (failure) => void steps.push({ name, parent, failure }),
    }),
    async [Symbol.asyncDispose]() {},
  }
  world = await startWorld({}, { tracer })
  const headers = { ...(await world.bearer(ALICE.id)), traceparent: CLIENTS }
  await world.post({ query: `{ message(id: "m1") { id } }` }, headers)
  await world.post({ query: `{ conversation(id: "nowhere") { id } }` }, headers)
  await world.post({ query: `{ message(id: "m1") { id } }` }, { ...headers, traceparent: "x" })
  expect(world.chat.knobs.calls[0]?.cause?.traceparent).toBe(`${TRACE}-000000000000000a-01`)
  expect(steps).toEqual([
    { name: "query message", parent: CLIENTS, failure: undefined },
    { name: "query conversation", parent: CLIENTS, failure: "NOT_FOUND" },
    { name: "query message", parent: undefined, failure: undefined },
  ])
  steps.length = 0
  const alice = await subscribe(ALICE.id)
  deliver({ requestId: "another-7", traceparent: CLIENTS })
  deliver({ requestId: "another-8" })
  await alice.next("next")
  await alice.next("next")
  expect(steps).toEqual([{ name: "send", parent: CLIENTS, failure: undefined }])
})

test("a gateway counts what it answers, refuses and delivers, and what is open", async () => {
  let url = ""
  const info = (event: string, fields?: LogFields) => {
    if (event === "metrics") url = String(fields?.url)
  }
  const observability = { metrics: { port: 0, host: "127.0.0.1" }, traces: undefined }
  world = await startWorld({ observability }, { log: { ...silentLogger, info } })
  const bearer = await world.bearer(ALICE.id)
  await world.post({ query: `{ message(id: "m1") { id } }` }, bearer)
  await world.post({ query: `{ conversation(id: "nowhere") { id } }` }, bearer)
  await world.post({ query: "{" }, bearer)
  await world.post({ query: "{ sessions { id } }" })
  const alice = await subscribe(ALICE.id, 2)
  const bob = await subscribe(BOB.id)
  await world.chat.emit(messageSent(1))
  await alice.next("next")
  bob.close()
  const lines = async () => (await (await fetch(url)).text()).split("\n")
  await until(async () => (await lines()).includes("parley_gateway_sockets 1"), "the end of one")
  const seen = await lines()
  for (const line of [
    'parley_gateway_operations_total{kind="query",outcome="OK"} 1',
    'parley_gateway_operations_total{kind="query",outcome="NOT_FOUND"} 1',
    'parley_gateway_operations_total{kind="none",outcome="GRAPHQL_PARSE_FAILED"} 1',
    'parley_gateway_operations_total{kind="none",outcome="UNAUTHENTICATED"} 1',
    'parley_gateway_operations_total{kind="subscription",outcome="OK"} 3',
    'parley_gateway_operation_seconds_count{kind="query"} 2',
    "parley_gateway_deliveries_total 3",
    'parley_gateway_subscriptions{subgraph="chat"} 2',
    'parley_gateway_links_up{subgraph="chat"} 1',
    'parley_gateway_links_down{subgraph="auth"} 0',
    'parley_gateway_upstream_seconds_count{subgraph="chat"} 2',
    'parley_gateway_upstream_failures_total{subgraph="chat"} 0',
    'parley_gateway_link_waiting_bytes{subgraph="chat"} 0',
    'parley_gateway_socket_closes_total{code="1005"} 1',
  ]) {
    expect(seen).toContain(line)
  }
})
