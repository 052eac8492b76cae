import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test"
import { connect as connectTcp } from "node:net"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { buildSchema, type GraphQLFieldResolver, type GraphQLObjectType } from "graphql"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import { ANSWERS_PAUSE_BYTES, ANSWERS_WAITING_BYTES, EVENTS_WAITING_BYTES } from "./limits.ts"
import { SECRET_HEADER, SHARED_NEXT } from "./protocol.ts"
import { type Call, createSubgraph, type SubscriptionRequest } from "./subgraph.ts"

const SECRET = "the link secret of the endpoint under test"
const ANSWER = 2 * 1024 * 1024
const OPERATION_MS = 300
const schema = buildSchema(`
  type Query { text(size: Int!, of: String): String, chain: Span, never: String, quick: String }
  type Span { next: Span, n: Int }
  type SubscriptionRequest { ticks: Int }
`)
const calls: Call[] = []
let steps = 0
let running = 0
let most = 0
let checked = 0
/** What a subscription says while it begins. */
let first: string | undefined
/** Each step of the chain waits for it. */
let backPressure = Promise.withResolvers<void>()
const open = new Map<string, SubscriptionRequest<{ call: Call }>>()
let stopped = 0

const step: GraphQLFieldResolver<unknown, { call: Call }> = async (_source, _args, { call }) => {
  steps += 1
  if (steps === 1) calls.push(call)
  await backPressure.promise
  return { n: steps }
}
const resolvers: Record<string, Record<string, GraphQLFieldResolver<unknown, { call: Call }>>> = {
  Query: {
    async text(_source, { size, of = "x" }) {
      running += 1
      most = Math.max(most, running)
      await new Promise(setImmediate)
      running -= 1
      return of.repeat(size)
    },
    chain: step,
    never(_source, _args, { call }) {
      calls.push(call)
      return new Promise(() => {})
    },
    quick: () => "here",
  },
  Span: { next: step },
}
for (const [type, fields] of Object.entries(resolvers)) {
  for (const [name, resolve] of Object.entries(fields)) {
    ;(schema.getType(type) as GraphQLObjectType).getFields()[name]!.resolve = resolve as never
  }
}

let port: number
let app: { stop(force: boolean): Promise<unknown> }
beforeAll(() => {
  const created = createSubgraph({
    schema,
    secret: SECRET,
    log,
    tokens: { verify: (user) => ({ user, session: "s", expiresAt: Number.MAX_SAFE_INTEGER }) },
    context(call) {
      checked += 1
      return { call }
    },
    subscribe(subscription) {
      open.set(subscription.id, subscription as never)
      if (first !== undefined) subscription.link.deliver([subscription.id], first)
      return () => {
        open.delete(subscription.id)
        stopped += 1
      }
    },
    ready: async () => {},
    answerBytes: ANSWER,
    operationMs: OPERATION_MS,
  })
  created.listen({ port: 0, hostname: "127.0.0.1" })
  port = created.server!.port!
  app = created as never
})
afterAll(() => app.stop(true))
beforeEach(() => {
  calls.length = 0
  steps = 0
  most = 0
  backPressure = Promise.withResolvers()
})

interface Frame {
  type: string
  id?: string
  payload?: unknown
}
async function connect() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, GRAPHQL_TRANSPORT_WS_PROTOCOL)
  const frames: Frame[] = []
  let code: number | undefined
  socket.onmessage = ({ data }) => frames.push(JSON.parse(String(data)))
  socket.onclose = (event) => {
    code = event.code
  }
  await until(() => socket.readyState === WebSocket.OPEN, "the connection")
  const send = (frame: unknown) => socket.send(JSON.stringify(frame))
  send({ type: "connection_init", payload: { secret: SECRET, features: [SHARED_NEXT] } })
  await until(() => frames.length === 1, "the acknowledgement")
  return {
    frames,
    send,
    ask: (id: string, query: string) => send({ id, type: "subscribe", payload: { query } }),
    async answer(id: string) {
      await until(() => frames.some((frame) => frame.id === id) || code !== undefined, "an answer")
      return frames.find((frame) => frame.id === id)
    },
    code: () => code,
    [Symbol.dispose]: () => socket.close(),
  }
}
const errorOf = (code: string, retryable = false) => ({
  errors: [{ message: expect.any(String), extensions: { code, retryable } }],
})

describe("an answer", () => {
  test("that is longer than one may be is TOO_LARGE, by its bytes, and the connection goes on", async () => {
    using socket = await connect()
    socket.ask("long", `{ text(size: ${ANSWER}) }`)
    socket.ask("wide", `{ text(size: ${Math.ceil(ANSWER / 3)}, of: "€") }`)
    socket.ask("fits", `{ text(size: ${ANSWER - 200}) }`)
    expect((await socket.answer("long"))?.payload).toEqual(errorOf("TOO_LARGE"))
    expect((await socket.answer("wide"))?.payload).toEqual(errorOf("TOO_LARGE"))
    expect((await socket.answer("fits"))?.payload).toMatchObject({ data: {} })
    expect(socket.code()).toBeUndefined()
  })

  test("is waited with while the gateway does not read, and the connection is not cut", async () => {
    const slow = await connectRaw()
    slow.pause()
    const each = 1_000_000
    const asked = 100
    for (let i = 0; i < asked; i++) slow.ask(`${i}`, `{ text(size: ${each}) }`)
    // The others are served meanwhile.
    using quick = await connect()
    quick.ask("1", "{ quick }")
    expect((await quick.answer("1"))?.payload).toEqual({ data: { quick: "here" } })
    slow.resume()
    await until(() => slow.completed() === asked, "all answers")
    // Answers, or a refusal of their own: nothing is missing.
    expect(slow.payloadBytes()).toBeGreaterThan(ANSWERS_PAUSE_BYTES)
    expect(slow.isClosed()).toBeFalse()
    expect(most * each).toBeLessThan(ANSWERS_WAITING_BYTES)
    slow.close()
  }, 20_000)

  test("that is not waited for any more when the gateway reads again is not worked at", async () => {
    const slow = await connectRaw()
    slow.ask("ticks", "subscription { ticks }")
    await until(() => open.has("ticks"), "the subscription")
    const { link } = open.get("ticks")!
    slow.pause()
    for (let i = 0; i < 30; i++) slow.ask(`${i}`, "{ text(size: 1000000) }")
    await until(() => link.waitingBytes() > ANSWERS_PAUSE_BYTES, "answers that are not read")
    checked = 0
    for (let i = 100; i < 150; i++) slow.ask(`${i}`, "{ quick }")
    for (let i = 100; i < 150; i++) slow.complete(`${i}`)
    slow.ask("last", "{ quick }")
    slow.complete("ticks")
    await until(() => !open.has("ticks"), "the frames before")
    slow.resume()
    await until(() => slow.completed() === 31, "the other answers")
    expect(checked).toBeLessThanOrEqual(31)
    slow.close()
  }, 20_000)
})

describe("an event", () => {
  test("that is longer than one may be ends the subscriptions that it is for, and no others", async () => {
    using socket = await connect()
    for (const id of ["a", "b", "c"]) socket.ask(id, "subscription { ticks }")
    await until(() => open.size === 3, "the subscriptions")
    stopped = 0
    const { link } = open.get("a")!
    link.deliver(["a", "b"], JSON.stringify({ data: { ticks: "x".repeat(ANSWER) } }))
    for (const id of ["a", "b"]) {
      expect(await socket.answer(id)).toMatchObject({
        ...{ type: "error", payload: [{ extensions: { code: "TOO_LARGE", retryable: false } }] },
      })
    }
    expect([...open.keys(), stopped]).toEqual(["c", 2])
    link.deliver(["c"], `{"data":{"ticks":1}}`)
    await until(() => socket.frames.at(-1)?.type === "next", "the event")
  })
})

test("a subscription that says too much while it begins is stopped", async () => {
  using socket = await connect()
  stopped = 0
  first = JSON.stringify({ data: { ticks: "x".repeat(ANSWER) } })
  socket.ask("a", "subscription { ticks }")
  expect(await socket.answer("a")).toMatchObject({
    ...{ type: "error", payload: [{ extensions: { code: "TOO_LARGE" } }] },
  })
  first = undefined
  expect([open.has("a"), stopped]).toEqual([false, 1])
})

test("events that a gateway does not read cut its own connection, at a bound, and no other", async () => {
  const slow = await connectRaw()
  slow.ask("slow", "subscription { ticks }")
  await until(() => open.has("slow"), "the subscription")
  slow.pause()
  using quick = await connect()
  quick.ask("quick", "subscription { ticks }")
  await until(() => open.has("quick"), "the subscription")
  const payload = JSON.stringify({ data: { ticks: "x".repeat(1_000_000) } })
  const { link } = open.get("slow")!
  let most = 0
  await until(() => {
    for (let i = 0; i < 5 && open.has("slow"); i++) link.deliver(["slow"], payload)
    most = Math.max(most, link.waitingBytes())
    return !open.has("slow")
  }, "the end of the slow connection")
  expect(most).toBeGreaterThan(EVENTS_WAITING_BYTES / 2)
  expect(most).toBeLessThan(EVENTS_WAITING_BYTES + 10_000_000)
  open.get("quick")!.link.deliver(["quick"], payload)
  await until(() => quick.frames.at(-1)?.type === "next", "the event")
  slow.close()
})

describe("an operation", () => {
  const chain = `{ chain ${"{ next ".repeat(5)}{ n }${" }".repeat(5)} }`

  test("that its client has completed begins no further field", async () => {
    using socket = await connect()
    socket.ask("1", chain)
    await until(() => steps === 1, "the first field")
    const [call] = calls as [Call]
    expect([call.isWaitedFor(), call.signal.aborted]).toEqual([true, false])
    socket.send({ id: "1", type: "complete" })
    await until(() => call.signal.aborted, "the cancellation")
    expect(call.isWaitedFor()).toBeFalse()
    backPressure.resolve()
    socket.ask("2", "{ quick }")
    await socket.answer("2")
    await new Promise(setImmediate)
    expect(steps).toBe(1)
    expect(socket.frames.filter(({ id }) => id === "1")).toEqual([])
  })

  test("ends with its connection, and with its HTTP request", async () => {
    const socket = await connect()
    socket.ask("1", chain)
    await until(() => steps === 1, "the first field")
    socket[Symbol.dispose]()
    await until(() => calls[0]!.signal.aborted, "the end")
    steps = 0
    const asking = new AbortController()
    const asked = fetch(`http://127.0.0.1:${port}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
      body: JSON.stringify({ query: chain }),
      signal: asking.signal,
    }).catch((error) => error.name)
    await until(() => calls.length === 2, "the first field")
    asking.abort()
    expect(await asked).toBe("AbortError")
    await until(() => calls[1]!.signal.aborted, "the end")
    backPressure.resolve()
    await new Promise(setImmediate)
    expect(steps).toBe(1)
  })

  test("that was completed before it could begin never does", async () => {
    using socket = await connect()
    socket.ask("1", chain)
    socket.send({ id: "1", type: "complete" })
    socket.ask("2", "{ quick }")
    await socket.answer("2")
    backPressure.resolve()
    await new Promise(setImmediate)
    expect(steps).toBeLessThanOrEqual(1)
  })

  test("is answered with UNAVAILABLE when it takes too long, and stopped", async () => {
    using socket = await connect()
    socket.ask("1", "{ never }")
    expect((await socket.answer("1"))?.payload).toMatchObject({
      errors: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
    expect(calls[0]!.signal.aborted).toBeTrue()
    await until(() => socket.frames.at(-1)?.type === "complete", "its end")
    socket.ask("2", "{ quick }")
    expect((await socket.answer("2"))?.payload).toEqual({ data: { quick: "here" } })
  })
})

/** A peer that says when it reads: what arrives is counted, and not kept. */
async function connectRaw() {
  const socket = connectTcp(port, "127.0.0.1")
  let bytes = 0
  let completed = 0
  let isClosed = false
  let rest = ""
  socket.on("close", () => {
    isClosed = true
  })
  socket.on("error", () => {})
  const write = (frame: unknown) => socket.write(masked(JSON.stringify(frame)))
  socket.write(
    `GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
      `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: ${GRAPHQL_TRANSPORT_WS_PROTOCOL}\r\n\r\n`,
  )
  await new Promise((resolve) => socket.once("data", resolve))
  write({ type: "connection_init", payload: { secret: SECRET } })
  await new Promise((resolve) => socket.once("data", resolve))
  socket.on("data", (data) => {
    bytes += data.length
    const text = rest + data.toString("latin1")
    completed += text.split('"type":"complete"').length - 1
    rest = text.slice(-16)
    if (rest.includes('"complete"')) rest = ""
  })
  return {
    ask: (id: string, query: string) => write({ id, type: "subscribe", payload: { query } }),
    complete: (id: string) => write({ id, type: "complete" }),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    completed: () => completed,
    payloadBytes: () => bytes,
    isClosed: () => isClosed,
    close: () => socket.destroy(),
  }
}

/** A masked text frame of a WebSocket client (RFC 6455 §5.2), the mask being zero. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126
      ? [0x81, 0x80 | payload.length]
      : [0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

describe("a frame, or a body, of more than 1 MiB", () => {
  const padded = (length: number) => {
    const start = '{"query":"{ quick }","variables":{"pad":"'
    return `${start}${"x".repeat(length - start.length - 3)}"}}`
  }
  const MIB = 1024 * 1024

  test("ends the connection of its gateway, which measures", async () => {
    using socket = await connect()
    socket.send({ id: "fits", type: "subscribe", payload: JSON.parse(padded(MIB - 100)) })
    expect((await socket.answer("fits"))?.payload).toEqual({ data: { quick: "here" } })
    socket.send({ id: "long", type: "subscribe", payload: JSON.parse(padded(MIB)) })
    await socket.answer("long")
    expect(socket.code()).toBeNumber()
  })

  test("is refused over HTTP", async () => {
    const post = (body: string) =>
      fetch(`http://127.0.0.1:${port}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
        body,
      })
    expect((await post(padded(MIB))).status).toBe(200)
    expect((await post(padded(MIB + 1))).status).toBe(413)
  })
})

test("a subgraph to which nothing else is said works at one operation for 10 s", async () => {
  const created = createSubgraph({
    schema,
    secret: SECRET,
    log,
    tokens: { verify: (user) => ({ user, session: "s", expiresAt: Number.MAX_SAFE_INTEGER }) },
    context: (call: Call) => ({ call }),
    subscribe: () => () => {},
    ready: async () => {},
  })
  created.listen({ port: 0, hostname: "127.0.0.1" })
  const now = performance.now.bind(performance)
  const clock = spyOn(performance, "now")
  try {
    const asked = fetch(`http://127.0.0.1:${created.server!.port}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
      body: '{"query":"{ never }"}',
    })
    await until(() => calls.length === 1, "the operation")
    clock.mockImplementation(() => now() + 10_000)
    expect(await (await asked).json()).toMatchObject({
      errors: [{ message: "This takes longer than 10 s.", extensions: { code: "UNAVAILABLE" } }],
    })
  } finally {
    clock.mockRestore()
    await created.stop(true)
  }
})
