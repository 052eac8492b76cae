import { describe, expect, jest, spyOn, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { MAX_SOCKETS_PER_PERSON, MAX_SOCKETS_PER_SESSION } from "../limits.ts"
import { createPendingSockets } from "../pending-sockets.ts"
import { createSessions } from "../sessions.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld } from "./world.ts"

const EVENTS = "subscription { events { ... on MessageSent { message { text } } } }"

const UNAUTHENTICATED = { payload: [{ extensions: { code: "UNAUTHENTICATED" } }] }
/** An access token has expired, and the sockets that went by it are still there. In ms. */
const JUST_EXPIRED = 10 * 60_000 + 5_000
const QUICK = { every: 20 }

describe("a live socket", () => {
  test("ends with its session, with 4403, and the session's tokens are refused from then on", async () => {
    await using world = await startWorld()
    const mine = await world.bearer(ALICE.id, "phone")
    const other = await world.socket({ init: await world.bearer(ALICE.id, "laptop") })
    const socket = await world.socket({ init: mine })
    const since = Date.now()
    world.auth.end("phone")
    expect((await socket.closed).code).toBe(4403)
    expect(Date.now() - since).toBeLessThan(5_000)
    expect(await world.ask("{ me { id } }", {}, mine)).toMatchObject({
      errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
    })
    const again = await world.socket()
    again.send({ type: "connection_init", payload: mine })
    expect((await again.closed).code).toBe(4403)
    other.subscribe("1", "{ me { id } }")
    await other.next("next", "1")
  })

  test("goes on by tokens that come over it; operations need a valid one", async () => {
    await using world = await startWorld()
    const socket = await world.socket({ init: await world.bearer(ALICE.id, "s") })
    // While its own token is good, too, a socket is not a way to act as somebody else.
    socket.subscribe("0", "{ me { name } }", {}, await world.bearer(BOB.id, "t"))
    expect(await socket.next("error", "0")).toMatchObject(UNAUTHENTICATED)
    socket.subscribe("live", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    world.advance(JUST_EXPIRED)

    // Nothing is known but the expired token.
    socket.subscribe("1", "{ me { name } }")
    expect(await socket.next("error", "1")).toMatchObject(UNAUTHENTICATED)
    // Somebody else's token, and another session's, are no help.
    for (const [user, session] of [
      [BOB.id, "t"],
      [ALICE.id, "t"],
    ] as const) {
      socket.subscribe("2", "{ me { name } }", {}, await world.bearer(user, session))
      expect(await socket.next("error", "2")).toMatchObject(UNAUTHENTICATED)
    }
    // One in the operation itself is, for it and for those that follow.
    socket.subscribe("3", "{ me { name } }", {}, await world.bearer(ALICE.id, "s"))
    await socket.next("next", "3")
    socket.subscribe("4", "{ me { name } }")
    await socket.next("next", "4")

    // What was subscribed to before simply went on.
    await world.chat.emit(messageSent(1))
    expect(await socket.next("next", "live")).toMatchObject({
      payload: { data: { events: { message: { text: "message 1" } } } },
    })
  })

  test("goes on with what its own browser renews over HTTP", async () => {
    await using world = await startWorld({}, QUICK)
    const device = "parley_device=the device of alice"
    const token = (await world.bearer(ALICE.id)).authorization.slice("Bearer ".length)
    const cookie = `parley_access=${token}; ${device}`
    const socket = await world.socket({ headers: { cookie }, init: undefined })
    world.advance(JUST_EXPIRED)
    const renewed = `parley_refresh=refresh of alice-id; ${device}`
    await world.ask("mutation { refreshSession { id } }", {}, { cookie: renewed })
    socket.subscribe("1", "{ me { name } }")
    await socket.next("next", "1")
    // So does any request of its that brings a newer token.
    world.advance(JUST_EXPIRED)
    const bearer = await world.bearer(ALICE.id)
    await world.ask("{ me { name } }", {}, { ...bearer, cookie: device })
    socket.subscribe("2", "{ me { name } }")
    await socket.next("next", "2")
  })

  test("that a copied token opened gets none of its owner's, and ends within a minute", async () => {
    await using world = await startWorld({}, QUICK)
    const stolen = await world.bearer(ALICE.id)
    const token = stolen.authorization.slice("Bearer ".length)
    const device = "parley_device=the device of alice"
    const own = await world.socket({
      headers: { cookie: `parley_access=${token}; ${device}` },
      init: undefined,
    })
    const thieves = await Promise.all([
      world.socket({ init: stolen }),
      // Knows how the cookie is called, and not what is in it.
      world.socket({ headers: { cookie: "parley_device=a guess" }, init: stolen }),
      world.socket({ headers: { cookie: "parley_device=" }, init: stolen }),
      world.socket({ headers: { cookie: `parley_access=${token}` }, init: undefined }),
    ])
    for (const thief of thieves) thief.subscribe("live", EVENTS)
    await until(() => world.chat.subscriptions.size === thieves.length, "the subscriptions")
    world.advance(JUST_EXPIRED)
    await world.ask(
      "mutation { refreshSession { id } }",
      {},
      { cookie: `parley_refresh=refresh of alice-id; ${device}` },
    )
    const newer = await world.bearer(ALICE.id)
    await world.ask("{ me { name } }", {}, newer)
    await world.ask("{ me { name } }", {}, { ...newer, cookie: device })
    for (const thief of thieves) {
      thief.subscribe("1", "{ me { name } }")
      expect(await thief.next("error", "1")).toMatchObject(UNAUTHENTICATED)
    }
    world.advance(40_000)
    for (const thief of thieves) {
      expect(await thief.closed).toEqual({ code: 4403, reason: "The access token has expired" })
    }
    expect(own.isClosed).toBeFalse()
    own.subscribe("1", "{ me { name } }")
    await own.next("next", "1")
  })

  test("of a session that ended while the feed told nothing is found by asking for it", async () => {
    await using world = await startWorld({}, QUICK)
    const socket = await world.socket({ init: await world.bearer(ALICE.id, "s", 7_200) })
    world.auth.knobs.silent = true
    world.auth.end("s")
    world.advance(21 * 60_000)
    expect((await socket.closed).code).toBe(4403)
    expect(world.auth.knobs.asked).toEqual([["s"]])
  })

  test("is one of 200 of its person, and of 50 of its session", async () => {
    await using world = await startWorld()
    const open = async (user: string, session: string) => {
      const socket = await world.socket()
      socket.send({ type: "connection_init", payload: await world.bearer(user, session) })
      return socket
    }
    const sockets = await Promise.all(
      Array.from({ length: MAX_SOCKETS_PER_PERSON }, (_, i) => open(ALICE.id, `s${i % 5}`)),
    )
    for (const socket of sockets) await socket.next("connection_ack")
    expect((await (await open(ALICE.id, "another")).closed).code).toBe(1013)
    sockets[0]!.close()
    await sockets[0]!.closed
    await until(async () => {
      const socket = await open(ALICE.id, "another")
      await socket.next("connection_ack")
      socket.subscribe("1", "{ me { name } }")
      return Promise.race([
        socket.closed.then(() => false),
        socket.next("next", "1").then(() => true),
      ])
    }, "a place")
    const own = Array.from({ length: MAX_SOCKETS_PER_SESSION + 1 }, () => open(BOB.id, "one"))
    const closed = (await Promise.all(own)).map(({ closed }) => closed)
    expect((await Promise.race(closed)).code).toBe(1013)
  })
})

test("tokens are not taken before it is known which sessions have ended", async () => {
  const token = "a token"
  const viewer = { user: "alice", session: "s", expiresAt: Number.POSITIVE_INFINITY }
  const tokens = { verify: () => viewer }
  const clock = { now: () => 0 }
  const early = createSessions({ tokens, clock, firstFeedWithin: 5 })
  await expect(early.viewer(token)).rejects.toMatchObject({ code: "UNAVAILABLE" })

  const sessions = createSessions({ tokens, clock })
  const asked = sessions.viewer(token)
  sessions.end(["s"])
  sessions.heard()
  await expect(asked).rejects.toMatchObject({ code: "UNAUTHENTICATED" })
})

test("sockets that do not say whose they are are few for each group of addresses", () => {
  const pending = createPendingSockets({ perAddress: 2, all: 3 })
  const first = pending.enter("2001:db8::1")
  expect(pending.enter("2001:db8::2")).toBeFunction()
  expect(pending.enter("2001:db8::3")).toBeUndefined()
  expect(pending.enter("203.0.113.7")).toBeFunction()
  expect(pending.enter("203.0.113.8")).toBeUndefined()
  first?.()
  first?.()
  expect(pending.enter("2001:db8::3")).toBeFunction()
  expect(pending.enter("203.0.113.8")).toBeUndefined()
})

test("an address has 8,192 sockets that do not say whose they are, and all have 32,768", () => {
  const pending = createPendingSockets()
  const enter = (address: string) => pending.enter(address) !== undefined
  const admitted = (address: string) =>
    Array.from({ length: 8_200 }, () => enter(address)).filter(Boolean).length
  for (let i = 0; i < 4; i++) expect(admitted(`203.0.113.${i}`)).toBe(8_192)
  expect(enter("203.0.113.9")).toBe(false)
})

test("a token is taken for unknown after 3 s without the feed", async () => {
  jest.useFakeTimers()
  try {
    const viewer = { user: "alice", session: "s", expiresAt: Number.POSITIVE_INFINITY }
    const sessions = createSessions({ tokens: { verify: () => viewer }, clock: { now: () => 0 } })
    let code: unknown
    Promise.resolve(sessions.viewer("token")).catch((error) => {
      code = error.code
    })
    const pass = async (ms: number) => {
      jest.advanceTimersByTime(ms)
      for (let i = 0; i < 10; i++) await Promise.resolve()
      return code
    }
    expect([await pass(2_999), await pass(1)]).toEqual([undefined, "UNAVAILABLE"])
  } finally {
    jest.useRealTimers()
  }
})

test("sockets whose token has expired are looked for every 5 s", async () => {
  const timers = spyOn(globalThis, "setTimeout")
  await using _ = await startWorld()
  const isLooking = () => timers.mock.calls.some(([, ms]) => ms === 5_000)
  await until(isLooking, "the next look to be planned").finally(() => timers.mockRestore())
})
