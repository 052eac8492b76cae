import { expect, test } from "bun:test"
import fc from "fast-check"
import { createTokenBuckets } from "./token-bucket.ts"

function buckets(perMinute: number, burst: number, maxKeys = 100) {
  const clock = { time: 1_000_000 }
  const { take } = createTokenBuckets({ perMinute, burst, maxKeys, now: () => clock.time })
  return { clock, take }
}

test("a full bucket gives its burst at once, and then as much as comes back", () => {
  const { clock, take } = buckets(60, 5)
  for (let i = 0; i < 5; i++) expect(take("alice")).toBe(0)
  expect(take("alice")).toBe(1_000)
  clock.time += 999
  expect(take("alice")).toBe(1)
  clock.time += 1
  expect(take("alice")).toBe(0)
  expect(take("alice")).toBe(1_000)
})

test("who waits as long as is said gets what was asked for", () => {
  const { clock, take } = buckets(90, 10)
  for (let i = 0; i < 50; i++) {
    const wait = take("alice", 7)
    clock.time += wait
    if (wait > 0) expect(take("alice", 7)).toBe(0)
  }
})

test("one key takes nothing from another", () => {
  const { take } = buckets(60, 3)
  expect(take("alice", 3)).toBe(0)
  expect(take("alice")).toBeGreaterThan(0)
  expect(take("bob", 3)).toBe(0)
})

test("what costs more than a bucket holds takes a full one", () => {
  const { clock, take } = buckets(60, 3)
  expect(take("alice", 100)).toBe(0)
  expect(take("alice", 100)).toBe(3_000)
  clock.time += 3_000
  expect(take("alice", 100)).toBe(0)
})

test("a refusal takes nothing", () => {
  const { take } = buckets(60, 3)
  expect(take("alice", 2)).toBe(0)
  for (let i = 0; i < 100; i++) expect(take("alice", 2)).toBe(1_000)
  expect(take("alice", 1)).toBe(0)
})

test("no more keys are kept than may be", () => {
  const { take } = buckets(60, 1, 2)
  for (const key of ["a", "b", "c"]) expect(take(key)).toBe(0)
  expect(take("c")).toBeGreaterThan(0)
  expect(take("a")).toBe(0)
})

test("however it is asked, no stretch of time gives more than a burst and what came back in it", () => {
  const step = fc.record({ after: fc.nat(3_000), tokens: fc.integer({ min: 1, max: 6 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, take } = buckets(120, 6)
      const taken: { at: number; tokens: number }[] = []
      for (const { after, tokens } of steps) {
        clock.time += after
        if (take("alice", tokens) === 0) taken.push({ at: clock.time, tokens })
      }
      taken.forEach((first, from) => {
        let sum = 0
        for (const { at, tokens } of taken.slice(from)) {
          sum += tokens
          expect(sum).toBeLessThanOrEqual(6 + ((at - first.at) * 120) / 60_000 + 1e-6)
        }
      })
    }),
  )
})
