import { describe, expect, test } from "bun:test"
import { until } from "@parley/service/test/until.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld } from "./world.ts"

const EVENTS = "subscription { events { ... on MessageSent { message { text } } } }"

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

  test("outlives its token; what it asks then needs a newer one of the same session", async () => {
    await using world = await startWorld()
    const socket = await world.socket({ init: await world.bearer(ALICE.id, "s") })
    // While its own token is good, too, a socket is not a way to act as somebody else.
    socket.subscribe("0", "{ me { name } }", {}, await world.bearer(BOB.id, "t"))
    expect(await socket.next("error", "0")).toMatchObject({
      payload: [{ extensions: { code: "UNAUTHENTICATED" } }],
    })
    socket.subscribe("live", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    world.advance(11 * 60_000)

    // Nothing is known but the expired token.
    socket.subscribe("1", "{ me { name } }")
    expect(await socket.next("error", "1")).toMatchObject({
      payload: [{ extensions: { code: "UNAUTHENTICATED" } }],
    })
    // Somebody else's token, and another session's, are no help.
    for (const [user, session] of [
      [BOB.id, "t"],
      [ALICE.id, "t"],
    ] as const) {
      socket.subscribe("2", "{ me { name } }", {}, await world.bearer(user, session))
      expect(await socket.next("error", "2")).toMatchObject({
        payload: [{ extensions: { code: "UNAUTHENTICATED" } }],
      })
    }
    // One in the operation itself is, for it and for those that follow.
    socket.subscribe("3", "{ me { name } }", {}, await world.bearer(ALICE.id, "s"))
    await socket.next("next", "3")
    socket.subscribe("4", "{ me { name } }")
    await socket.next("next", "4")
    // So is one in any HTTP request …
    world.advance(11 * 60_000)
    await world.ask("{ me { name } }", {}, await world.bearer(ALICE.id, "s"))
    socket.subscribe("5", "{ me { name } }")
    await socket.next("next", "5")

    // What was subscribed to before simply went on.
    await world.chat.emit(messageSent(1))
    expect(await socket.next("next", "live")).toMatchObject({
      payload: { data: { events: { message: { text: "message 1" } } } },
    })
  })

  test("goes on with the token that a refresh over HTTP has just set", async () => {
    await using world = await startWorld()
    const socket = await world.socket({ init: await world.bearer(ALICE.id) })
    world.advance(11 * 60_000)
    const cookie = "parley_refresh=refresh of alice-id"
    await world.ask("mutation { refreshSession { id } }", {}, { cookie })
    socket.subscribe("1", "{ me { name } }")
    await socket.next("next", "1")
  })
})
