import { describe, expect, jest, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { COUNT_BYTES_AT, COUNT_FRESH_FOR, MAX_UNCOUNTED, WRITE_LIMITS } from "../limits.ts"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"
import type { UsageStore } from "../store/usage.ts"
import { createStoredBytes } from "./stored-bytes.ts"
import { dayOf, EVER } from "./usage.ts"

const START = Date.UTC(2026, 0, 1)
const HOUR = 60 * 60_000
const limits = { TEXT_BYTES_PER_DAY: 1_000_000, TEXT_BYTES_PER_PERSON: 2_500_000 }

function setUp(change: (usage: UsageStore) => UsageStore = (usage) => usage) {
  const store = openSqliteStore(":memory:")
  const clock = {
    time: START,
    now() {
      return this.time
    },
  }
  let adds = 0
  let reads = 0
  const usage: UsageStore = change({
    ...store.usage,
    add(...args) {
      adds += 1
      return store.usage.add(...args)
    },
    of(...args) {
      reads += 1
      return store.usage.of(...args)
    },
  })
  const node = () => createStoredBytes({ usage, limits, clock, log: silentLogger })
  const counted = async (day = dayOf(clock.time)) => (await store.usage.of("alice", day)).bytes
  return { clock, node, counted, asked: () => ({ adds, reads }), store }
}
/** Stores as much as it may, a piece at a time; answers how much. */
function storeUpTo(
  bytes: number,
  node: ReturnType<ReturnType<typeof setUp>["node"]>,
  piece = 1_000,
) {
  let stored = 0
  let refusal: unknown
  while (stored < bytes && refusal === undefined) {
    try {
      node.check("alice", piece)
      node.add("alice", piece)
      stored += piece
    } catch (error) {
      refusal = error
    }
  }
  return { stored, refusal }
}

describe("the bytes that a person stores", () => {
  test("are bounded by day, until the next one begins", () => {
    const { node, clock } = setUp()
    const bytes = node()
    clock.time = START + 23 * HOUR
    const { stored, refusal } = storeUpTo(5_000_000, bytes)
    expect(stored).toBe(limits.TEXT_BYTES_PER_DAY)
    expect(refusal).toMatchObject({ code: "RATE_LIMITED", details: { retryAfterMs: HOUR } })
    expect(() => bytes.check("bob", 1_000)).not.toThrow()
    clock.time += HOUR
    expect(() => bytes.check("alice", 1_000)).not.toThrow()
  })

  test("are bounded for good, whatever the day", async () => {
    const { node, clock } = setUp()
    const bytes = node()
    let all = 0
    let last: unknown
    for (let day = 0; day < 4; day++) {
      const { stored, refusal } = storeUpTo(5_000_000, bytes)
      all += stored
      last = refusal
      await bytes.flush()
      clock.time += 24 * HOUR
    }
    expect(all).toBe(limits.TEXT_BYTES_PER_PERSON)
    expect(last).toMatchObject({ code: "FORBIDDEN" })
  })

  test("are remembered by the store across a restart, and what another node counted counts", async () => {
    const { node, counted } = setUp()
    const before = node()
    storeUpTo(700_000, before)
    await before[Symbol.asyncDispose]()
    expect(await counted()).toBe(700_000)
    expect(await counted(EVER)).toBe(700_000)
    const after = node()
    after.check("alice", 1)
    await until(() => isRefused(() => after.check("alice", 300_001)), "the count to be read")
    expect(storeUpTo(5_000_000, after).stored).toBe(300_000)
  })

  test("are read anew from time to time: another node may have added to them", async () => {
    const { node, clock } = setUp()
    const [one, other] = [node(), node()]
    one.check("alice", 1)
    storeUpTo(900_000, other)
    await other.flush()
    expect(() => one.check("alice", 500_000)).not.toThrow()
    clock.time += COUNT_FRESH_FOR
    one.check("alice", 1)
    await until(() => isRefused(() => one.check("alice", 500_000)), "the count to be read")
  })

  test("cost two writes each 64 KiB, and one read a person", async () => {
    const { node, asked } = setUp()
    const bytes = node()
    storeUpTo(640_000, bytes, 100)
    await until(() => asked().adds >= 2 * Math.floor(640_000 / COUNT_BYTES_AT), "the writes")
    expect(asked().adds).toBeLessThanOrEqual(2 * Math.ceil(640_000 / COUNT_BYTES_AT))
    expect(asked().reads).toBe(2)
  })

  test("are let through where the store cannot be asked: nothing can be stored then", async () => {
    let isAway = true
    const { node } = setUp((usage) => ({
      ...usage,
      of: (...args) => (isAway ? Promise.reject(new Error("away")) : usage.of(...args)),
      add: (...args) => (isAway ? Promise.reject(new Error("away")) : usage.add(...args)),
    }))
    const bytes = node()
    expect(storeUpTo(500_000, bytes).stored).toBe(500_000)
    isAway = false
    // What this node knows counts on.
    expect(storeUpTo(5_000_000, bytes).stored).toBe(500_000)
  })
})

test("a store that never answers keeps no node from stopping", async () => {
  const never = new Promise<never>(() => {})
  const { node } = setUp((usage) => ({ ...usage, add: () => never }))
  const bytes = node()
  storeUpTo(5_000, bytes)
  await bytes[Symbol.asyncDispose]()
})

test("people who are too many to be kept in memory are written down at once", async () => {
  const { node, store } = setUp()
  const bytes = node()
  const people = Array.from({ length: MAX_UNCOUNTED + 1 }, (_, i) => `user${i}`)
  for (const user of people) bytes.add(user, 10)
  const last = people.at(-1)!
  await until(
    async () => (await store.usage.of(last, EVER)).bytes === 10,
    "the last of them to be written",
  )
  expect((await store.usage.of("user0", EVER)).bytes).toBe(10)
})

function isRefused(act: () => void): boolean {
  try {
    act()
    return false
  } catch {
    return true
  }
}

describe("where an operator sets nothing", () => {
  const MIB = 1024 * 1024
  test("a person stores 64 MiB a day and 4 GiB in all", async () => {
    const { store, clock } = setUp()
    const shared = { usage: store.usage, limits: WRITE_LIMITS, clock, log: silentLogger }
    const bytes = createStoredBytes(shared)
    bytes.check("alice", 64 * MIB)
    expect(() => bytes.check("alice", 64 * MIB + 1)).toThrow(
      expect.objectContaining({ code: "RATE_LIMITED" }),
    )
    await store.usage.add("bob", EVER, { bytes: 4 * 1024 * MIB - 1 })
    bytes.check("bob", 1)
    await until(() => isRefused(() => bytes.check("bob", 2)), "the count to be read")
    bytes.check("bob", 1)
  })
})

/** A store that has nothing, and counts what it is asked. */
function emptyUsage() {
  const asked = { reads: 0, adding: 0, most: 0 }
  const { node } = setUp((usage) => ({
    ...usage,
    of() {
      asked.reads += 1
      return Promise.resolve({ bytes: 0, groups: 0, adds: 0, strangers: 0 })
    },
    async add() {
      asked.adding += 1
      asked.most = Math.max(asked.most, asked.adding)
      await new Promise(setImmediate)
      asked.adding -= 1
      return { bytes: 0, groups: 0, adds: 0, strangers: 0 }
    },
  }))
  return { bytes: node(), asked }
}

test("few people's bytes are written down at a time", async () => {
  const { bytes, asked } = emptyUsage()
  for (let i = 0; i < 1_200; i++) bytes.add(`user${i}`, 1)
  await bytes.flush()
  expect(asked.most).toBe(500)
})

test("of 50,000 people is remembered how much they have stored, of those who write", () => {
  const { bytes, asked } = emptyUsage()
  for (let i = 0; i < 50_000; i++) bytes.check(`user${i}`, 1)
  asked.reads = 0
  bytes.check("user0", 1)
  expect(asked.reads).toBe(0)
  bytes.check("one more", 1)
  bytes.check("user1", 1)
  expect(asked.reads).toBe(4)
})

test("a store that did not say what a person has stored is asked again after 5 s", async () => {
  let asked = 0
  const { node, clock } = setUp((usage) => ({
    ...usage,
    of() {
      asked += 1
      return Promise.reject(new Error("away"))
    },
  }))
  const bytes = node()
  const check = async (later: number) => {
    clock.time += later
    bytes.check("alice", 1)
    await new Promise(setImmediate)
    return asked
  }
  expect([await check(0), await check(4_999), await check(1)]).toEqual([2, 2, 4])
})

test("what people have stored is written down each minute, and kept for a week", async () => {
  jest.useFakeTimers()
  try {
    const none = { bytes: 0, groups: 0, adds: 0, strangers: 0 }
    const written: number[] = []
    const forgotten: number[] = []
    const { node, clock } = setUp(() => ({
      of: () => Promise.resolve(none),
      add(_user, _day, { bytes = 0 }) {
        written.push(bytes)
        return Promise.resolve(none)
      },
      reserve: () => Promise.resolve(undefined),
      forget(before) {
        forgotten.push(before)
        return Promise.resolve()
      },
    }))
    const bytes = node()
    const pass = async (ms: number) => {
      for (let i = 0; i < 20; i++) await Promise.resolve()
      jest.advanceTimersByTime(ms)
      for (let i = 0; i < 20; i++) await Promise.resolve()
    }
    bytes.add("alice", 10)
    await pass(59_000)
    expect(written).toEqual([])
    await pass(1_000)
    // For the day, and for good.
    expect(written).toEqual([10, 10])
    clock.time += 24 * HOUR
    await pass(60_000)
    expect(forgotten.at(-1)).toBe(dayOf(clock.time) - 7)
  } finally {
    jest.useRealTimers()
  }
})
