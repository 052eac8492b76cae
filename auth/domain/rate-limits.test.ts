import { describe, expect, test } from "bun:test"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import fc from "fast-check"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"
import type { Counter } from "../store/store.ts"
import { stoppedClock } from "../test/parts.ts"
import { createRateLimit } from "./rate-limits.ts"

const WINDOW = 15 * 60_000

function openLimit(limit: number, settings: { folder?: string } = {}) {
  const folder = temporaryFolder()
  const clock = stoppedClock()
  const store = openSqliteStore(settings.folder ?? folder.path, clock)
  const options = { store, clock, name: "test", limit, windowMs: WINDOW, message: "Too often." }
  return {
    clock,
    store,
    ...createRateLimit(options),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

/** Holds one counter: thousands of writes to a disk would only take time here. */
function inMemory() {
  let held: Counter | undefined
  return {
    counter: async () => held,
    async putCounter(counter: Counter) {
      if (counter.version !== (held?.version ?? 0) + 1) return false
      held = counter
      return true
    },
  }
}

/** How long to wait; 0 where it was let through. */
const wait = (taking: Promise<unknown>): Promise<number> =>
  taking.then(
    () => 0,
    (error) => {
      expect(error.code).toBe("RATE_LIMITED")
      return error.details.retryAfterMs
    },
  )

describe("a rate limit", () => {
  test("lets so many through in any window, and says to the millisecond when the next may come", async () => {
    await using limit = openLimit(10)
    for (let i = 0; i < 10; i++) {
      expect(await wait(limit.take("alice"))).toBe(0)
      limit.clock.pass(1_000)
    }
    expect(await wait(limit.take("alice"))).toBe(WINDOW - 10_000)
    limit.clock.pass(WINDOW - 10_001)
    expect(await wait(limit.take("alice"))).toBe(1)
    limit.clock.pass(1)
    expect(await wait(limit.take("alice"))).toBe(0)
    // Only the first of the ten has left the window.
    expect(await wait(limit.take("alice"))).toBe(1_000)
  })

  test("counts each subject apart", async () => {
    await using limit = openLimit(1)
    expect(await wait(limit.take("alice"))).toBe(0)
    expect(await wait(limit.take("bob"))).toBe(0)
    expect(await wait(limit.take("alice"))).toBe(WINDOW)
  })

  test("forgets what is taken back, even when that comes late", async () => {
    await using limit = openLimit(2)
    const takeBack = await limit.take("alice")
    await limit.take("alice")
    expect(await wait(limit.take("alice"))).toBe(WINDOW)
    await takeBack()
    expect(await wait(limit.take("alice"))).toBe(0)
    expect(await wait(limit.take("alice"))).toBe(WINDOW)

    const late = await limit.take("bob")
    limit.clock.pass(WINDOW)
    await late()
    for (let i = 0; i < 2; i++) expect(await wait(limit.take("bob"))).toBe(0)
    expect(await wait(limit.take("bob"))).toBe(WINDOW)
  })

  test("cannot be passed by many at the same moment, from two processes", async () => {
    using folder = temporaryFolder()
    await using one = openLimit(10, { folder: folder.path })
    await using two = openLimit(10, { folder: folder.path })
    const waits = await Promise.all(
      Array.from({ length: 60 }, (_, i) => wait((i % 2 ? one : two).take("alice"))),
    )
    expect(waits.filter((ms) => ms === 0)).toHaveLength(10)
  })

  test("costs a crowd of one process one write each, not one for each pair", async () => {
    await using limit = openLimit(100)
    let writes = 0
    const { putCounter } = limit.store
    limit.store.putCounter = (counter) => {
      writes++
      return putCounter(counter)
    }
    await Promise.all(Array.from({ length: 150 }, () => wait(limit.take("alice"))))
    expect(writes).toBe(100)
  })

  test("counts nobody whose turn comes when they have left, because the store had stopped", async () => {
    const store = inMemory()
    const { promise: thaw, resolve } = Promise.withResolvers<void>()
    const frozen = { ...store, counter: () => thaw.then(store.counter) }
    const limit = createRateLimit({
      store: frozen,
      clock: stoppedClock(),
      name: "test",
      limit: 10,
      windowMs: WINDOW,
      message: "Too often.",
      patienceMs: 20,
    })
    const first = limit.take("alice")
    const waiting = Promise.allSettled(Array.from({ length: 5 }, () => limit.take("alice")))
    const began = performance.now()
    await until(() => performance.now() - began > 30, "patience to end")
    resolve()
    const takeBack = await first
    for (const refused of await waiting) {
      expect(refused).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } })
    }
    expect((await store.counter())?.hits).toMatchObject([{ count: 1 }])
    await takeBack()
    expect((await store.counter())?.hits).toEqual([])
  })

  test("remembers over a restart, and keeps nothing readable", async () => {
    using folder = temporaryFolder()
    const keys: string[] = []
    {
      await using limit = openLimit(1, { folder: folder.path })
      const { putCounter } = limit.store
      limit.store.putCounter = (counter) => {
        keys.push(counter.key)
        return putCounter(counter)
      }
      expect(await wait(limit.take("203.0.113.7"))).toBe(0)
    }
    expect(keys).toHaveLength(1)
    expect(keys[0]).not.toContain("203.0.113.7")
    await using limit = openLimit(1, { folder: folder.path })
    expect(await wait(limit.take("203.0.113.7"))).toBe(WINDOW)
  })

  test("of any size is never passed in any window, and lets through again what it promised", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 90 }),
        fc.array(fc.integer({ min: 0, max: WINDOW / 200 }), { minLength: 100, maxLength: 160 }),
        async (size, pauses) => {
          const clock = stoppedClock()
          const limit = createRateLimit({
            store: inMemory(),
            clock,
            name: "test",
            limit: size,
            windowMs: WINDOW,
            message: "Too often.",
          })
          const passed: number[] = []
          for (const pause of pauses) {
            clock.pass(pause)
            const ms = await wait(limit.take("alice"))
            if (ms > 0) {
              // Great limits round up to a sixtieth of the window.
              expect(ms).toBeLessThanOrEqual(WINDOW + WINDOW / 60)
              clock.pass(ms)
              expect(await wait(limit.take("alice"))).toBe(0)
            }
            passed.push(clock.now())
            const inWindow = passed.filter((at) => at > clock.now() - WINDOW)
            expect(inWindow.length).toBeLessThanOrEqual(size)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test("of any size stays a small document", async () => {
    const clock = stoppedClock()
    const store = inMemory()
    const limit = createRateLimit({
      store,
      clock,
      name: "test",
      limit: 1_000,
      windowMs: WINDOW,
      message: "Too often.",
    })
    for (let i = 0; i < 900; i++) {
      await limit.take("alice")
      clock.pass(WINDOW / 900)
    }
    expect((await store.counter())?.hits.length).toBeLessThanOrEqual(61)
  })
})
