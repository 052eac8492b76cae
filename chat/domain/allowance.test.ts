import { describe, expect, test } from "bun:test"
import {
  CHANGE_BURST,
  MARK_BURST,
  MAX_CONVERSATIONS,
  MAX_MEMBERS,
  SEND_BURST,
  WRITE_LIMITS,
} from "../limits.ts"
import { type Allowance, createAllowance, type Limited } from "./allowance.ts"

function setUp(limits = WRITE_LIMITS as Parameters<typeof createAllowance>[0]["limits"]) {
  const clock = { time: 0 }
  const limited: Limited[] = []
  const allowance = createAllowance({
    ...{ limits, now: () => clock.time },
    onLimited: (what) => limited.push(what),
  })
  return { clock, limited, allowance }
}

/** How many of so many are let through at once, and what the first refusal says. */
function letThrough(act: () => void, count: number) {
  let through = 0
  let refusal: unknown
  for (let i = 0; i < count; i++) {
    try {
      act()
      through += 1
    } catch (error) {
      refusal ??= error
    }
  }
  return { through, refusal }
}

describe("a person meets no limit", () => {
  test.each([
    ["who types all day", 60_000, (of: Allowance) => of.send("alice", 200), 300],
    ["whose outbox is flushed after a flight", 0, (of: Allowance) => of.send("alice", 20), 900],
    ["who pastes fifty long messages", 0, (of: Allowance) => of.send("alice", 8_000), 50],
    ["who comes back to every conversation", 0, (of: Allowance) => of.mark("alice"), MARK_BURST],
    ["whose groups deliver all day", 60_000, (of: Allowance) => of.mark("alice"), 1_200],
    ["who leaves 300 groups", 0, (of: Allowance) => of.change("alice"), CHANGE_BURST],
    ["who makes ten full groups", 0, (of: Allowance) => of.change("alice", MAX_MEMBERS), 10],
  ] as const)("%s", (_who, within, act, count) => {
    const { allowance, clock, limited } = setUp()
    for (let i = 0; i < count; i++) {
      act(allowance)
      clock.time += within / count
    }
    expect(limited).toEqual([])
  })

  test("who could be in that many conversations", () => {
    expect(MARK_BURST).toBeGreaterThanOrEqual(MAX_CONVERSATIONS)
  })
})

describe("a machine is let through", () => {
  test("a burst of short messages, and five a second after it", () => {
    const { allowance, clock, limited } = setUp()
    const flood = () => letThrough(() => allowance.send("mallory", 0), 20_000)
    const { through, refusal } = flood()
    expect(through).toBe(SEND_BURST)
    expect(refusal).toMatchObject({ code: "RATE_LIMITED", details: { retryAfterMs: 200 } })
    expect(limited).toHaveLength(19_000)
    expect(new Set(limited)).toEqual(new Set(["sends"]))
    clock.time += 10_000
    expect(flood().through).toBe(50)
  })

  test("some 1 MiB of large messages at once, and some 5 KiB a second after it", () => {
    const { allowance, clock } = setUp()
    const flood = () => letThrough(() => allowance.send("mallory", 32_000), 2_000).through
    expect(flood() * 32_000).toBeLessThanOrEqual(1024 * 1024)
    clock.time += 60_000
    expect(flood() * 32_000).toBeLessThanOrEqual(60 * 5 * 1024)
  })

  test("groups and people in bursts, by how many are named", () => {
    const { allowance } = setUp()
    const full = () => allowance.change("mallory", MAX_MEMBERS)
    expect(letThrough(full, 1_000).through).toBe(Math.floor(CHANGE_BURST / 17))
  })

  test("as long as is said, and not for less", () => {
    const { allowance, clock } = setUp()
    for (let i = 0; i < 20; i++) {
      const { refusal } = letThrough(() => allowance.send("mallory", 20_000), 100)
      const { retryAfterMs } = (refusal as { details: { retryAfterMs: number } }).details
      clock.time += retryAfterMs - 2
      expect(letThrough(() => allowance.send("mallory", 20_000), 1).through).toBe(0)
      clock.time += 2
      expect(letThrough(() => allowance.send("mallory", 20_000), 1).through).toBe(1)
    }
  })
})

test("what one takes is there for another", () => {
  const { allowance } = setUp()
  letThrough(() => allowance.send("mallory", 0), 5_000)
  expect(letThrough(() => allowance.send("alice", 0), 100).through).toBe(100)
  // Nor is one kind taken from another.
  expect(letThrough(() => allowance.mark("mallory"), 100).through).toBe(100)
})

test("an operator who allows more in a minute allows it at once", () => {
  const { allowance } = setUp({ ...WRITE_LIMITS, MESSAGES_PER_MINUTE: 60_000 })
  expect(letThrough(() => allowance.send("bot", 0), 70_000).through).toBe(60_000)
})

test("a machine may move a watermark in each of its conversations, and twenty a second after it", () => {
  const { allowance, clock } = setUp()
  const flood = () => letThrough(() => allowance.mark("mallory"), 20_000).through
  expect(flood()).toBe(10_000)
  clock.time += 60_000
  expect(flood()).toBe(1_200)
})
