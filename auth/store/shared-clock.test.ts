import { describe, expect, test } from "bun:test"
import { createSharedClock } from "./shared-clock.ts"

/** A server whose clock and whose answers a test moves, and what this machine measures. */
function startServer() {
  const server = {
    time: Date.UTC(2026, 0, 1),
    passed: 1_000,
    /** How long a question is on its way, and its answer; in ms. */
    there: 3,
    back: 3,
    isAway: false,
    pass(ms: number) {
      server.time += ms
      server.passed += ms
    },
  }
  const clock = createSharedClock(
    async () => {
      server.pass(server.there)
      if (server.isAway) throw new Error("away")
      const told = server.time
      server.pass(server.back)
      return told
    },
    () => server.passed,
  )
  return { server, clock }
}

describe("a shared clock", () => {
  test("goes by the server's time from the first look on, and says before that it has none", async () => {
    const { server, clock } = startServer()
    expect(() => clock.now()).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }))
    await clock.look()
    expect(clock.now()).toBe(server.time)
    server.pass(123_456)
    expect(clock.now()).toBe(server.time)
  })

  test("is wrong by no more than half of what a look takes, and does not trust a long one", async () => {
    const { server, clock } = startServer()
    Object.assign(server, { there: 0, back: 800 })
    await clock.look()
    expect(Math.abs(clock.now() - server.time)).toBe(400)
    Object.assign(server, { there: 1_200, back: 0 })
    await expect(clock.look()).rejects.toMatchObject({ code: "UNAVAILABLE" })
    expect(Math.abs(clock.now() - server.time)).toBe(400)
    Object.assign(server, { there: 1, back: 1 })
    await clock.look()
    expect(clock.now()).toBe(server.time)
  })

  test("follows the server's clock wherever it is set, and goes on while the server is away", async () => {
    const { server, clock } = startServer()
    await clock.look()
    for (const jump of [7_200_000, -14_400_000]) {
      server.time += jump
      await clock.look()
      expect(clock.now()).toBe(server.time)
    }
    server.isAway = true
    await expect(clock.look()).rejects.toThrow("away")
    server.pass(60_000)
    expect(clock.now()).toBe(server.time)
  })

  test("says a first time by itself, as soon as the server is there", async () => {
    const { server, clock } = startServer()
    server.isAway = true
    await clock.follow()
    expect(() => clock.now()).toThrow()
    server.isAway = false
    const { promise, resolve } = Promise.withResolvers<void>()
    const { pass } = server
    server.pass = (ms) => {
      pass(ms)
      resolve()
    }
    await promise
    await Bun.sleep(0)
    expect(clock.now()).toBe(server.time)
    clock[Symbol.dispose]()
  })
})
