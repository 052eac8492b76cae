import { describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { ALICE } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld } from "./world.ts"

const EVENTS = "subscription { events { ... on MessageSent { seq by { name } } } }"
const CHAT = `{ conversation(id: "c1") { id } }`

describe("while chat is away", () => {
  test("what it alone knows is UNAVAILABLE, soon; the rest works; and it recovers by itself", async () => {
    await using world = await startWorld()
    const bearer = await world.bearer(ALICE.id)
    const live = await world.socket({ init: bearer })
    live.subscribe("e", EVENTS)
    const idle = await world.socket({ init: bearer })
    await until(() => world.chat.subscriptions.size === 1, "the subscription")

    await world.stopChat()
    // Those that hear from chat are to come back and resume; the others have no reason to.
    expect((await live.closed).code).toBe(1012)
    const since = Date.now()
    const response = await world.post({ query: CHAT }, bearer)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
    expect(Date.now() - since).toBeLessThan(4_000)
    // Down for a while already: no further wait.
    const again = Date.now()
    expect(await world.ask(CHAT, {}, bearer)).toMatchObject({
      errors: [{ extensions: { code: "UNAVAILABLE" } }],
    })
    expect(Date.now() - again).toBeLessThan(900)
    idle.subscribe("1", "{ me { name } }")
    await idle.next("next", "1")
    idle.subscribe("2", CHAT)
    expect(await idle.next("error", "2")).toMatchObject({
      payload: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
    const partly = await world.ask(`{ me { name } conversation(id: "c1") { id } }`, {}, bearer)
    expect(partly).toMatchObject({
      data: { me: { name: "Alice" }, conversation: null },
      errors: [{ extensions: { code: "UNAVAILABLE" } }],
    })
    const unready = await fetch(`${world.url}/readyz`)
    expect(unready.status).toBe(503)
    expect(await unready.json()).toMatchObject({
      ready: false,
      reasons: { chat: expect.any(String) },
    })

    // Who resumes meanwhile need not guess when: the subscription opens once chat is back.
    const early = await world.socket({ init: bearer })
    early.subscribe("e", EVENTS)
    await world.restartChat()
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    await world.chat.emit(messageSent(2))
    expect((await early.next("next", "e")).payload).toMatchObject({ data: { events: { seq: 2 } } })
    await until(async () => (await world.ask(CHAT, {}, bearer)).errors === undefined, "recovery")
  })

  test("an operation in flight when it goes away is UNAVAILABLE", async () => {
    await using world = await startWorld()
    const asked = world.ask(`{ user(username: "never") { id } }`, {}, await world.bearer(ALICE.id))
    await until(() => world.auth.knobs.calls.length > 0, "the question")
    await world.stopAuth()
    expect(await asked).toMatchObject({
      errors: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
  })
})

test("a subgraph that does not answer is not waited for beyond the time-out", async () => {
  await using world = await startWorld({}, { timeout: 500 })
  const bearer = await world.bearer(ALICE.id)
  const since = Date.now()
  const answer = await world.ask(`{ user(username: "never") { id } }`, {}, bearer)
  expect(answer).toMatchObject({
    errors: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
  })
  expect(Date.now() - since).toBeLessThan(4_000)
  // The connection is fine: the next one is answered.
  expect((await world.ask("{ me { name } }", {}, bearer)).data).toEqual({ me: { name: "Alice" } })
})

test("an event whose join fails ends its subscription, so that it is resumed and not missed", async () => {
  await using world = await startWorld({}, { timeout: 500 })
  const socket = await world.socket({ init: await world.bearer(ALICE.id) })
  socket.subscribe("e", EVENTS)
  await until(() => world.chat.subscriptions.size === 1, "the subscription")
  world.auth.knobs.gate = new Promise(() => {})
  await world.chat.emit(messageSent(1))
  await world.chat.emit(messageSent(2))
  expect((await socket.next("error", "e")).payload).toMatchObject([
    { extensions: { code: "UNAVAILABLE", retryable: true } },
  ])
  await until(() => world.chat.subscriptions.size === 0, "the subscription to end upstream")
  expect(socket.frames).toEqual([])

  // The socket goes on, and so does whoever subscribes again.
  world.auth.knobs.gate = undefined
  socket.subscribe("again", EVENTS)
  await until(() => world.chat.subscriptions.size === 1, "the subscription")
  await world.chat.emit(messageSent(1))
  expect((await socket.next("next", "again")).payload).toEqual({
    data: { events: { seq: 1, by: { name: "Alice" } } },
  })
})

test("the gateway stops cleanly: sockets are told to resume, requests in flight are finished", async () => {
  const world = await startWorld()
  const bearer = await world.bearer(ALICE.id)
  const socket = await world.socket({ init: bearer })
  const gate = Promise.withResolvers<void>()
  world.auth.knobs.gate = gate.promise
  const asked = world.ask(`{ conversation(id: "c1") { me { user { name } } } }`, {}, bearer)
  await until(() => world.auth.knobs.calls.length > 0, "the question")
  const stopped = world.gateway.stop()
  expect((await socket.closed).code).toBe(1012)
  gate.resolve()
  expect(await asked).toMatchObject({ data: { conversation: { me: { user: { name: "Alice" } } } } })
  await stopped
  await expect(fetch(world.url)).rejects.toThrow()
  await world.auth.stop()
  await world.chat.stop()
})
