import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { ParleyError } from "@parley/platform/errors.ts"
import type { TestSocket } from "@parley/testing/frames.ts"
import { until } from "@parley/testing/until.ts"
import { ALICE, BOB, GHOST } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  world.auth.knobs.gate = undefined
  world.chat.knobs.subscribed = []
  world.auth.knobs.calls = []
  world.chat.knobs.executions = 0
})

const NO_JOIN = "subscription { events { __typename ... on MessageSent { seq message { text } } } }"
const JOIN = `subscription Events($after: [PositionInput!]) {
  events(after: $after) { ... on LogEvent { seq by { name } } ... on MessageSent { message { text } } }
}`
const VIEWER = `subscription {
  events { ... on MessageSent { seq by { name } conversation { unreadCount me { user { username } } } } }
}`

async function subscribed(user: string, query: string, variables = {}): Promise<TestSocket> {
  const before = world.chat.knobs.subscribed.length
  const socket = await world.socket({ init: await world.bearer(user, `s-${Math.random()}`) })
  socket.subscribe("e", query, variables)
  await until(() => world.chat.knobs.subscribed.length > before, "the subscription")
  return socket
}
const lookups = () => world.auth.knobs.calls.length

describe("an event", () => {
  test("reaches who subscribed, as the document asks for it", async () => {
    const alice = await subscribed(ALICE.id, NO_JOIN)
    await world.chat.emit(messageSent(1, "Hi"))
    await alice.next("next")
    expect(alice.texts.at(-1)).toBe(
      '{"id":"e","type":"next","payload":{"data":{"events":{"__typename":"MessageSent","seq":1,"message":{"text":"Hi"}}}}}',
    )
    alice.close()
  })

  test("is completed with what auth knows, once for all who asked alike", async () => {
    const sockets = [
      await subscribed(ALICE.id, JOIN),
      await subscribed(BOB.id, JOIN, { after: [{ conversation: "c1", seq: 3 }] }),
      await subscribed(BOB.id, JOIN),
    ]
    expect(world.chat.knobs.subscribed.at(1)?.variables).toEqual({
      after: [{ conversation: "c1", seq: 3 }],
    })
    world.auth.knobs.calls = []
    world.chat.knobs.executions = 0
    await world.chat.emit(messageSent(1))
    for (const socket of sockets) {
      const { payload } = await socket.next("next")
      // Neither the key nor the __typename that the join needed.
      expect(payload).toEqual({
        data: { events: { seq: 1, by: { name: "Alice" }, message: { text: "message 1" } } },
      })
    }
    expect(world.chat.knobs.executions).toBe(1)
    expect(lookups()).toBe(1)
    // On nobody's behalf: what is shared must not depend on who asks.
    expect(world.auth.knobs.calls[0]?.viewer).toBeUndefined()
    for (const socket of sockets) socket.close()
  })

  test("is worked out for each viewer where the document asks what depends on them", async () => {
    const alice = await subscribed(ALICE.id, VIEWER)
    const bob = await subscribed(BOB.id, VIEWER)
    world.auth.knobs.calls = []
    await world.chat.emit(messageSent(1))
    const about = async (socket: TestSocket) =>
      ((await socket.next("next")).payload as never as { data: { events: object } }).data.events
    expect(await about(alice)).toMatchObject({
      by: { name: "Alice" },
      conversation: { unreadCount: ALICE.id.length, me: { user: { username: "alice" } } },
    })
    expect(await about(bob)).toMatchObject({
      conversation: { unreadCount: BOB.id.length, me: { user: { username: "bob" } } },
    })
    // A name is the same for whoever asks: it is looked up on nobody's behalf, and so for several at a time.
    const viewers = world.auth.knobs.calls.map(({ viewer }) => viewer)
    expect(viewers.every((viewer) => viewer === undefined)).toBeTrue()
    alice.close()
    bob.close()
  })

  test("is shaped by the subscriber's own variables", async () => {
    const query = `subscription ($text: Boolean!) {
      events { ... on MessageSent { message { text @include(if: $text) } by { name @skip(if: $text) id } } }
    }`
    const alice = await subscribed(ALICE.id, query, { text: true })
    const bob = await subscribed(BOB.id, query, { text: false })
    // The fake does not tell variables apart when it shares, so each is sent its own.
    for (const subscription of world.chat.subscriptions) {
      await world.chat.emit(messageSent(1), [subscription])
    }
    expect((await alice.next("next")).payload).toEqual({
      data: { events: { message: { text: "message 1" }, by: { id: ALICE.id } } },
    })
    expect((await bob.next("next")).payload).toEqual({
      data: { events: { message: {}, by: { name: "Alice", id: ALICE.id } } },
    })
    alice.close()
    bob.close()
  })

  test("stays behind those before it, however long their join takes", async () => {
    const alice = await subscribed(ALICE.id, JOIN)
    const gate = Promise.withResolvers<void>()
    world.auth.knobs.gate = gate.promise
    const asked = lookups()
    await world.chat.emit(messageSent(1))
    await until(() => lookups() > asked, "the join")
    // Needs no join, and could overtake.
    await world.chat.emit({ __typename: "Ready", recovered: true, reload: [] })
    world.auth.knobs.gate = undefined
    for (let seq = 2; seq <= 20; seq++) await world.chat.emit(messageSent(seq))
    expect(alice.frames).toEqual([])
    gate.resolve()
    const seqs: unknown[] = []
    for (let i = 0; i < 21; i++) {
      const { payload } = await alice.next<{
        type: string
        payload: { data: { events: { seq?: number } } }
      }>("next")
      seqs.push(payload.data.events.seq ?? "ready")
    }
    expect(seqs).toEqual([1, "ready", ...Array.from({ length: 19 }, (_, i) => i + 2)])
    alice.close()
  })

  test("that waits for a join is put together with the others that wait", async () => {
    const alice = await subscribed(ALICE.id, JOIN)
    const gate = Promise.withResolvers<void>()
    world.auth.knobs.gate = gate.promise
    world.auth.knobs.calls = []
    for (let seq = 1; seq <= 100; seq++) {
      await world.chat.emit(messageSent(seq, "x", seq % 2 ? ALICE.id : BOB.id))
    }
    await until(() => lookups() === 1, "the first join")
    gate.resolve()
    for (let seq = 1; seq <= 100; seq++) {
      expect((await alice.next("next")).payload).toMatchObject({
        data: { events: { seq, by: { name: seq % 2 ? "Alice" : "Bob" } } },
      })
    }
    expect(lookups()).toBeLessThan(10)
    alice.close()
  })

  test("about someone who is no longer known becomes an error with a code", async () => {
    const alice = await subscribed(ALICE.id, JOIN)
    await world.chat.emit(messageSent(1, "Boo", GHOST))
    expect((await alice.next("next")).payload).toMatchObject({
      data: null,
      errors: [
        { path: ["events", "by", "name"], extensions: { code: "INTERNAL", retryable: false } },
      ],
    })
    await world.chat.emit(messageSent(2))
    expect((await alice.next("next")).payload).toMatchObject({ data: { events: { seq: 2 } } })
    alice.close()
  })

  test("with an error inside keeps its code and its path", async () => {
    const query = `subscription { events { ... on MessageSent { seq message { conversation { id } } by { name } } } }`
    const alice = await subscribed(ALICE.id, query)
    const event = messageSent(1)
    await world.chat.emit({ ...event, message: new Error("no such table") })
    expect((await alice.next("next")).payload).toMatchObject({
      errors: [{ extensions: { code: "INTERNAL" } }],
    })
    expect(alice.texts.join()).not.toContain("no such table")
    alice.close()
  })
})

describe("a subscription", () => {
  test("ends upstream when its client ends it, and when its client is gone", async () => {
    await until(() => world.chat.subscriptions.size === 0, "the others' end")
    const alice = await subscribed(ALICE.id, JOIN)
    alice.send({ id: "e", type: "complete" })
    await until(() => world.chat.subscriptions.size === 0, "the end")
    const bob = await subscribed(BOB.id, NO_JOIN)
    expect(world.chat.subscriptions.size).toBe(1)
    bob.terminate()
    await until(() => world.chat.subscriptions.size === 0, "the end")
  })

  test("works with fragments, aliases and several operations in one document", async () => {
    const socket = await world.socket({ init: await world.bearer(ALICE.id) })
    const query = `query Other { me { id } }
      subscription Mine { ...Root }
      fragment Root on Subscription { events { ...Sent } }
      fragment Sent on MessageSent { number: seq from: by { called: name } }`
    socket.send({ id: "f", type: "subscribe", payload: { query, operationName: "Mine" } })
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    await world.chat.emit(messageSent(7))
    expect((await socket.next("next", "f")).payload).toEqual({
      data: { events: { number: 7, from: { called: "Alice" } } },
    })
    socket.close()
  })

  test("that chat ends with an error ends with that error", async () => {
    const alice = await subscribed(ALICE.id, JOIN)
    for (const subscription of world.chat.subscriptions) {
      world.chat.subscriptions.delete(subscription)
      subscription.end(new ParleyError("FORBIDDEN", "Not you."))
    }
    expect(await alice.next("error", "e")).toMatchObject({
      payload: [{ message: "Not you.", extensions: { code: "FORBIDDEN" } }],
    })
    alice.subscribe("1", "{ __typename }")
    await alice.next("complete", "1")
    alice.close()
  })
})

describe("a slow reader", () => {
  test("is disconnected at 1 MiB, and the others are not", async () => {
    const token = await world.auth.sign(BOB.id, "slow")
    const { port } = new URL(world.url)
    const slow = connect(Number(port), "127.0.0.1")
    let gone = false
    slow.on("close", () => {
      gone = true
    })
    slow.on("error", () => {})
    slow.write(
      `GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
        `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n` +
        `cookie: parley_access=${token}\r\n\r\n`,
    )
    await new Promise((resolve) => slow.once("data", resolve))
    slow.write(frame('{"type":"connection_init"}'))
    await new Promise((resolve) => slow.once("data", resolve))
    slow.write(frame(JSON.stringify({ id: "e", type: "subscribe", payload: { query: NO_JOIN } })))
    await until(() => world.chat.subscriptions.size > 0, "the subscription")
    const quick = await subscribed(ALICE.id, NO_JOIN)
    slow.pause()

    const text = "x".repeat(8_000)
    let sent = 0
    await until(async () => {
      for (let i = 0; i < 50; i++) await world.chat.emit(messageSent(++sent, text))
      return world.chat.subscriptions.size === 1
    }, "the slow reader's end")
    // What the kernel holds for a connection comes on top.
    expect(sent * text.length).toBeLessThan(16 * 1024 * 1024)
    for (let seq = 1; seq <= sent; seq++) {
      expect((await quick.next("next")).payload).toMatchObject({ data: { events: { seq } } })
    }
    slow.resume()
    await until(() => gone, "the closed connection")
    quick.close()
  })
})

/** A masked text frame of a WebSocket client (RFC 6455 §5.2), the mask being zero. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126
      ? [0x81, 0x80 | payload.length]
      : [0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}
