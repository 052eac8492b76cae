import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { startWorld, type World } from "./world.ts"

let world: World
let init: { authorization: string }
beforeAll(async () => {
  world = await startWorld()
  init = await world.bearer(ALICE.id)
})
afterAll(() => world[Symbol.asyncDispose]())

describe("a connection", () => {
  test("opens with a cookie, or with a bearer token in connection_init", async () => {
    const byCookie = await world.socket({
      headers: { cookie: `other=1; parley_access=${await world.auth.sign(BOB.id)}` },
      init: undefined,
    })
    byCookie.subscribe("1", "{ me { name } }")
    expect(await byCookie.next("next")).toMatchObject({
      payload: { data: { me: { name: "Bob" } } },
    })
    const byToken = await world.socket({ init })
    byToken.subscribe("1", "{ me { name } }")
    expect(await byToken.next("next")).toMatchObject({
      payload: { data: { me: { name: "Alice" } } },
    })
  })

  test("is closed with 4403 where nobody is signed in", async () => {
    for (const payload of [
      undefined,
      {},
      { authorization: "Bearer nonsense" },
      { authorization: 1 },
    ]) {
      const socket = await world.socket()
      socket.send({ type: "connection_init", payload })
      expect((await socket.closed).code).toBe(4403)
    }
    const expired = await world.socket()
    expired.send({ type: "connection_init", payload: await world.bearer(BOB.id, "s", -5) })
    expect((await expired.closed).code).toBe(4403)
  })

  test("is refused to pages of other origins", async () => {
    for (const origin of [
      "https://evil.example",
      "http://localhost:4001",
      "null",
      "http://localhost:4000.evil.example",
    ]) {
      const response = await fetch(`${world.url}/graphql`, {
        headers: {
          origin,
          connection: "upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
          "sec-websocket-protocol": "graphql-transport-ws",
        },
      })
      expect(response.status).toBe(403)
    }
    // PUBLIC_URL's, and that of the very host that the socket goes to.
    const own = new URL(world.url).origin
    for (const origin of ["http://localhost:4000", "http://127.0.0.1:4000", own]) {
      const socket = await world.socket({ headers: { origin }, init })
      socket.close()
    }
  })

  test("is refused on other paths and with other subprotocols", async () => {
    const upgrade = (path: string, protocol: string) =>
      fetch(`${world.url}${path}`, {
        headers: {
          connection: "upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
          "sec-websocket-protocol": protocol,
        },
      })
    expect((await upgrade("/other", "graphql-transport-ws")).status).toBe(400)
    expect((await upgrade("/graphql", "graphql-ws")).status).toBe(400)
  })

  test("that says nothing is closed after 3 s", async () => {
    const socket = await world.socket()
    expect((await socket.closed).code).toBe(4408)
  })

  test("ends with the documented codes where the protocol is broken", async () => {
    const broken = await world.socket()
    broken.send("{")
    expect((await broken.closed).code).toBe(4400)
    const early = await world.socket()
    early.subscribe("1", "{ __typename }")
    expect((await early.closed).code).toBe(4401)
    const twice = await world.socket({ init })
    twice.send({ type: "connection_init" })
    expect((await twice.closed).code).toBe(4429)
    const same = await world.socket({ init })
    same.subscribe("1", "subscription { events { __typename } }")
    same.subscribe("1", "subscription { events { __typename } }")
    expect((await same.closed).code).toBe(4409)
  })

  test("ends at a frame of more than 256 KiB, and nobody else's does", async () => {
    const other = await world.socket({ init })
    const socket = await world.socket({ init })
    socket.subscribe("1", `{ __typename } #${"x".repeat(300 * 1024)}`)
    expect((await socket.closed).code).toBe(1009)
    other.subscribe("1", "{ __typename }")
    await other.next("next", "1")
  })

  test("is one of 50 that a session may have", async () => {
    const own = await world.bearer(BOB.id, "crowded")
    for (let i = 0; i < 50; i++) await world.socket({ init: own })
    const last = await world.socket()
    last.send({ type: "connection_init", payload: own })
    expect((await last.closed).code).toBe(1013)
    await world.socket({ init: await world.bearer(BOB.id, "roomy") })
  })
})

describe("operations on a socket", () => {
  test("are queries and mutations like those over HTTP", async () => {
    const socket = await world.socket({ init })
    socket.subscribe(
      "a",
      "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { text sender { name } } }",
      { input: { id: Bun.randomUUIDv7(), conversation: "c1", text: 'with "errors":[ inside' } },
    )
    expect(await socket.next("next", "a")).toMatchObject({
      payload: {
        data: { sendMessage: { text: 'with "errors":[ inside', sender: { name: "Alice" } } },
      },
    })
    await socket.next("complete", "a")
    socket.subscribe("b", `{ conversation(id: "nope") { id } me { name } }`)
    expect(await socket.next("next", "b")).toMatchObject({
      payload: {
        data: { conversation: null, me: { name: "Alice" } },
        errors: [{ path: ["conversation"], extensions: { code: "NOT_FOUND" } }],
      },
    })
  })

  test("that are wrong get an error message and nothing more", async () => {
    const socket = await world.socket({ init })
    for (const [query, code] of [
      ["{", "GRAPHQL_PARSE_FAILED"],
      ["{ nope }", "GRAPHQL_VALIDATION_FAILED"],
      ["query ($id: ID!) { message(id: $id) { id } }", "BAD_INPUT"],
      ["{ _service { sdl } }", "GRAPHQL_VALIDATION_FAILED"],
    ] as const) {
      socket.subscribe(code, query)
      expect(await socket.next("error", code)).toMatchObject({
        payload: [{ extensions: { code, retryable: false } }],
      })
    }
    socket.subscribe("last", "{ __typename }")
    await socket.next("complete", "last")
    expect(socket.frames.filter(({ type }) => type === "complete")).toEqual([])
  })

  test("that set cookies are sent to HTTP", async () => {
    const socket = await world.socket({ init })
    for (const query of [
      `mutation { signIn(input: { username: "bob", password: "x" }) { id } }`,
      `mutation { signUp(input: { username: "bob2", password: "x" }) { id } }`,
      "mutation { refreshSession { id } }",
      "mutation { signOut }",
      "mutation { ...F } fragment F on Mutation { signOut }",
      `mutation { changePassword(current: "x", new: "y") }`,
      `mutation { ...F } fragment F on Mutation { again: changePassword(current: "x", new: "y") }`,
    ]) {
      socket.subscribe(query, query)
      const { payload } = await socket.next("error", query)
      expect(payload).toMatchObject([{ extensions: { code: "BAD_INPUT" } }])
      expect(JSON.stringify(payload)).toContain("HTTP")
    }
  })

  test("never leave cookies on the socket", async () => {
    const own = await world.bearer(BOB.id, "mine")
    const socket = await world.socket({ init: own })
    socket.subscribe("1", `mutation { revokeSession(id: "mine") }`)
    await socket.next("complete", "1")
    expect(socket.texts.join()).toContain('{"data":{"revokeSession":true}}')
    expect(socket.texts.join()).not.toContain("ookie")
  })

  test("that were completed do not answer for those that have their ids next", async () => {
    const socket = await world.socket({ init })
    const gate = Promise.withResolvers<void>()
    world.chat.knobs.gate = gate.promise
    const { length: before } = world.chat.knobs.calls
    const id = Bun.randomUUIDv7()
    const send = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { text } }`
    socket.subscribe("1", send, { input: { id, conversation: "c1", text: "completed" } })
    await until(() => world.chat.knobs.calls.length > before, "the mutation")
    socket.send({ id: "1", type: "complete" })
    socket.subscribe("1", "subscription { events { __typename } }")
    await until(() => world.chat.subscriptions.size > 0, "the subscription")
    world.chat.knobs.gate = undefined
    gate.resolve()
    socket.subscribe("2", '{ conversation(id: "c1") { id } }')
    await socket.next("next", "2")
    expect(socket.texts.join()).not.toContain("completed")
  })

  test("may be 100 at a time; 10,000 harm nobody", async () => {
    const socket = await world.socket({ init })
    for (let i = 0; i < 10_000; i++) {
      socket.subscribe(String(i), "subscription { events { __typename } }")
    }
    const { payload } = await socket.next("error", "9999")
    expect(payload).toMatchObject([
      { extensions: { code: "RATE_LIMITED", retryable: true, retryAfterMs: 1000 } },
    ])
    expect(world.chat.subscriptions.size).toBeLessThanOrEqual(101)
    socket.send({ id: "0", type: "complete" })
    socket.subscribe("again", "{ me { name } }")
    await socket.next("next", "again")
    const other = await world.socket({ init })
    other.subscribe("1", "{ me { name } }")
    await other.next("next", "1")
  })

  test("are answered as pings are", async () => {
    const socket = await world.socket({ init })
    socket.send({ type: "ping" })
    await socket.next("pong")
  })
})
