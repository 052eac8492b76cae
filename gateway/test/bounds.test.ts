import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { connect } from "node:net"
import type { TestSocket } from "@parley/testing/frames.ts"
import { until } from "@parley/testing/until.ts"
import {
  CLIENT_QUEUED_BYTES,
  MAX_EVENT_VARIABLES,
  MAX_SUBSCRIPTIONS_PER_PERSON,
  MAX_WAITING_EVENT_BYTES,
} from "../limits.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld, type World } from "./world.ts"

setDefaultTimeout(30_000)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const EVENTS = "subscription { events { ... on MessageSent { seq } } }"
const JOIN = "subscription { events { ... on MessageSent { seq by { name } message { text } } } }"
const MESSAGES = `{ conversation(id: "c1") { messages { edges { node { text } } } } }`
const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }"
const NEVER = `{ user(username: "never") { id } }`
const TOO_LARGE = { code: "TOO_LARGE", retryable: false }

const socketOf = async (user: string) =>
  world.socket({ init: await world.bearer(user, `s-${Math.random()}`) })
const subscribed = async (query: string, variables = {}): Promise<TestSocket> => {
  const { length } = world.chat.knobs.subscribed
  const socket = await socketOf(ALICE.id)
  socket.subscribe("e", query, variables)
  await until(() => world.chat.knobs.subscribed.length > length, "the subscription")
  return socket
}
/** What auth is working at. */
const lastCall = async (before: number) => {
  await until(() => world.auth.knobs.calls.length > before, "the question")
  return world.auth.knobs.calls.at(-1)!
}

describe("what a client has lost interest in is stopped in the subgraph", () => {
  test("where it completes it, and where its socket ends", async () => {
    const socket = await socketOf(ALICE.id)
    let { length } = world.auth.knobs.calls
    socket.subscribe("1", NEVER)
    const completed = await lastCall(length)
    length += 1
    expect(completed.signal.aborted).toBeFalse()
    socket.send({ id: "1", type: "complete" })
    await until(() => completed.signal.aborted, "the cancellation")
    // The id is free again, and the socket goes on.
    socket.subscribe("1", "{ me { name } }")
    expect((await socket.next("next", "1")).payload).toEqual({ data: { me: { name: "Alice" } } })

    length = world.auth.knobs.calls.length
    socket.subscribe("2", `{ conversation(id: "c1") { id } user(username: "never") { id } }`)
    const closed = await lastCall(length)
    socket.terminate()
    await until(() => closed.signal.aborted, "the cancellation")
  })

  test("where its HTTP request ends", async () => {
    const { length } = world.auth.knobs.calls
    const asking = new AbortController()
    const asked = fetch(`${world.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(await world.bearer(ALICE.id)) },
      body: JSON.stringify({ query: NEVER }),
      signal: asking.signal,
    }).catch((error) => error.name)
    const call = await lastCall(length)
    asking.abort()
    expect(await asked).toBe("AbortError")
    await until(() => call.signal.aborted, "the cancellation")
  })

  test("but for what changes something: that goes on", async () => {
    const gate = Promise.withResolvers<void>()
    world.chat.knobs.gate = gate.promise
    const { length } = world.chat.knobs.calls
    const socket = await socketOf(ALICE.id)
    const input = { id: Bun.randomUUIDv7(), conversation: "c1", text: "Hi" }
    socket.subscribe("1", SEND, { input })
    await until(() => world.chat.knobs.calls.length > length, "the mutation")
    const call = world.chat.knobs.calls.at(-1)!
    socket.terminate()
    // What comes after it on the link has been heard of.
    const other = `{ conversation(id: "c1") { id } }`
    expect((await world.ask(other, {}, await world.bearer(BOB.id))).data).toBeDefined()
    expect(call.signal.aborted).toBeFalse()
    gate.resolve()
    world.chat.knobs.gate = undefined
  })
})

describe("an answer that is longer than a socket's queue", () => {
  const size = 1_600_000
  beforeAll(async () => {
    const bearer = await world.bearer(ALICE.id)
    for (let i = 0; i < size / 200_000; i++) {
      const input = { id: Bun.randomUUIDv7(), conversation: "c1", text: "x".repeat(200_000) }
      expect((await world.ask(SEND, { input }, bearer)).errors).toBeUndefined()
    }
  })

  test("reaches a client that reads slowly, whole, and so does what follows it", async () => {
    const slow = await slowSocket(await world.auth.sign(ALICE.id, "slow"))
    slow.ask("e", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    slow.pause()
    const { length } = world.chat.knobs.calls
    slow.ask("1", MESSAGES)
    slow.ask("2", MESSAGES)
    await until(() => world.chat.knobs.calls.length === length + 2, "the questions")
    // Long since made, and waiting for the client.
    await until(async () => {
      const { data } = await world.ask(MESSAGES, {}, await world.bearer(BOB.id))
      return Boolean(data)
    }, "an answer of the same size")
    await world.chat.emit(messageSent(1))
    slow.resume()
    await until(() => slow.text().includes('{"id":"2","type":"complete"}'), "the second answer")
    expect(slow.isClosed()).toBeFalse()
    const text = slow.text()
    expect(text.length).toBeGreaterThan(2 * size)
    expect(text).toContain('{"id":"1","type":"complete"}')
    await until(() => slow.text().includes(`{"data":{"events":{"seq":1}}}`), "the event")
    slow.destroy()
  })

  test("is refused, and not sent, where too many of them wait already", async () => {
    const slow = await slowSocket(await world.auth.sign(ALICE.id, "slow"))
    slow.pause()
    const { length } = world.chat.knobs.calls
    for (let i = 0; i < 8; i++) slow.ask(`${i}`, MESSAGES)
    await until(() => world.chat.knobs.calls.length === length + 8, "the questions")
    await until(async () => {
      const { data } = await world.ask(MESSAGES, {}, await world.bearer(BOB.id))
      return Boolean(data)
    }, "an answer of the same size")
    slow.resume()
    await until(() => slow.ended() === 8, "all answers")
    expect(slow.isClosed()).toBeFalse()
    expect(slow.text()).toContain(`"code":"RATE_LIMITED"`)
    slow.destroy()
  })

  test("is TOO_LARGE beyond what the installation takes, over HTTP and on a socket", async () => {
    await using small = await startWorld({ answerBytes: 100_000 })
    const bearer = await small.bearer(ALICE.id)
    const input = { id: Bun.randomUUIDv7(), conversation: "c1", text: "é".repeat(60_000) }
    expect((await small.ask(SEND, { input }, bearer)).errors).toBeUndefined()
    const response = await small.post({ query: MESSAGES }, bearer)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: TOO_LARGE }] })
    const planned = `{ me { name } ${MESSAGES.slice(1)}`
    expect(await small.ask(planned, {}, bearer)).toMatchObject({
      errors: [{ extensions: TOO_LARGE }],
    })
    const socket = await small.socket({ init: bearer })
    socket.subscribe("1", MESSAGES)
    expect((await socket.next("error", "1")).payload).toMatchObject([{ extensions: TOO_LARGE }])

    // An event ends its own subscription, and no other.
    const both =
      "subscription { events { ... on MessageSent { seq by { name } message { text } } } }"
    socket.subscribe("long", both)
    socket.subscribe("short", EVENTS)
    await until(() => small.chat.subscriptions.size === 2, "the subscriptions")
    await small.chat.emit(messageSent(1, "é".repeat(60_000)))
    expect((await socket.next("error", "long")).payload).toMatchObject([{ extensions: TOO_LARGE }])
    expect((await socket.next("next", "short")).payload).toEqual({ data: { events: { seq: 1 } } })
    await until(() => small.chat.subscriptions.size === 1, "its end")
  })
})

describe("a subscription", () => {
  test("waits for what takes longer, but not for any number of bytes", async () => {
    const socket = await subscribed(JOIN)
    const gate = Promise.withResolvers<void>()
    world.auth.knobs.gate = gate.promise
    const text = "x".repeat(100_000)
    for (let seq = 1; seq <= MAX_WAITING_EVENT_BYTES / text.length + 1; seq++) {
      await world.chat.emit(messageSent(seq, text))
    }
    expect((await socket.closed).code).toBe(1013)
    gate.resolve()
    world.auth.knobs.gate = undefined
  })

  test("keeps few variables, for it lives long", async () => {
    const query = `subscription ($a: String!) { events {
      ... on MessageSent { seq conversation { messages(first: 1, after: $a) { edges { cursor } } } } } }`
    const socket = await socketOf(ALICE.id)
    socket.subscribe("1", query, { a: "x".repeat(MAX_EVENT_VARIABLES) })
    const [error] = (await socket.next("error", "1")).payload as { extensions: object }[]
    expect(error!.extensions).toMatchObject({ code: "TOO_LARGE" })
    socket.subscribe("2", "{ me { name } }")
    await socket.next("next", "2")
    socket.close()
  })

  test("is one of as many as a person may have at a gateway", async () => {
    const sockets: TestSocket[] = []
    const { length } = world.chat.knobs.subscribed
    for (let i = 0; i < MAX_SUBSCRIPTIONS_PER_PERSON; i++) {
      if (i % 100 === 0) sockets.push(await socketOf(BOB.id))
      sockets.at(-1)!.subscribe(`${i}`, EVENTS)
    }
    const all = () => world.chat.knobs.subscribed.length - length
    await until(() => all() === MAX_SUBSCRIPTIONS_PER_PERSON, "all subscriptions")
    const more = await socketOf(BOB.id)
    more.subscribe("more", EVENTS)
    expect((await more.next("error", "more")).payload).toMatchObject([
      { extensions: { code: "RATE_LIMITED", retryable: true, retryAfterMs: expect.any(Number) } },
    ])
    // Others may, and so may the same person once one of them has ended.
    await subscribed(EVENTS)
    sockets[0]!.send({ id: "0", type: "complete" })
    await until(async () => {
      more.subscribe("again", EVENTS)
      await new Promise(setImmediate)
      return all() > MAX_SUBSCRIPTIONS_PER_PERSON + 1
    }, "room")
    for (const socket of sockets) socket.terminate()
  })
})

/** A client that says when it reads. */
async function slowSocket(token: string) {
  const { port } = new URL(world.url)
  const socket = connect(Number(port), "127.0.0.1")
  let text = ""
  let isClosed = false
  socket.on("close", () => {
    isClosed = true
  })
  socket.on("error", () => {})
  socket.write(
    `GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
      `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n` +
      `cookie: parley_access=${token}\r\n\r\n`,
  )
  await new Promise((resolve) => socket.once("data", resolve))
  socket.write(masked('{"type":"connection_init"}'))
  await new Promise((resolve) => socket.once("data", resolve))
  socket.on("data", (data) => {
    text += data.toString("latin1")
  })
  return {
    ask: (id: string, query: string) =>
      socket.write(masked(JSON.stringify({ id, type: "subscribe", payload: { query } }))),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    text: () => text,
    ended: () => text.split('"type":"complete"').length + text.split('"type":"error"').length - 2,
    isClosed: () => isClosed,
    destroy: () => socket.destroy(),
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

test("the queue of a socket is shorter than an answer", () => {
  expect(CLIENT_QUEUED_BYTES).toBeLessThan(1_600_000)
})
