import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { createTokenBuckets } from "./token-bucket.ts"

describe("a token bucket", () => {
  test("grants its burst at once, and then what comes back", () => {
    const buckets = createTokenBuckets({ burst: 3, perSecond: 2 })
    for (let i = 0; i < 3; i++) expect(buckets.take("alice", 1, 1_000)).toEqual({ ok: true })
    expect(buckets.take("alice", 1, 1_000)).toEqual({ ok: false, retryAfterMs: 500 })
    expect(buckets.take("alice", 1, 1_400)).toEqual({ ok: false, retryAfterMs: 100 })
    expect(buckets.take("alice", 1, 1_500)).toEqual({ ok: true })
    expect(buckets.take("alice", 2, 1_500)).toEqual({ ok: false, retryAfterMs: 1_000 })
  })

  test("is one key's own", () => {
    const buckets = createTokenBuckets({ burst: 1, perSecond: 1 })
    expect(buckets.take("alice", 1, 0).ok).toBeTrue()
    expect(buckets.take("alice", 1, 0).ok).toBeFalse()
    expect(buckets.take("bob", 1, 0).ok).toBeTrue()
  })

  test("holds no more than its burst, however long it was left alone", () => {
    const buckets = createTokenBuckets({ burst: 2, perSecond: 1 })
    expect(buckets.take("alice", 2, 1_000_000).ok).toBeTrue()
    expect(buckets.take("alice", 1, 1_000_000).ok).toBeFalse()
  })

  test("grants a cost above its burst when it is full, and is in debt then", () => {
    const buckets = createTokenBuckets({ burst: 10, perSecond: 10 })
    expect(buckets.take("alice", 25, 0)).toEqual({ ok: true })
    expect(buckets.take("alice", 1, 0)).toEqual({ ok: false, retryAfterMs: 1_600 })
  })

  test("is charged for what was used, up to a debt of its burst", () => {
    const buckets = createTokenBuckets({ burst: 10, perSecond: 10 })
    buckets.charge("alice", 15, 0)
    expect(buckets.waitFor("alice", 1, 0)).toBeCloseTo(600)
    buckets.charge("alice", 1_000, 0)
    expect(buckets.waitFor("alice", 0, 0)).toBeCloseTo(1_000)
  })

  test("takes nothing when it refuses, and nothing when it is asked", () => {
    const buckets = createTokenBuckets({ burst: 2, perSecond: 1 })
    expect(buckets.take("alice", 1, 0).ok).toBeTrue()
    for (let i = 0; i < 10; i++) expect(buckets.take("alice", 2, 0).ok).toBeFalse()
    expect(buckets.waitFor("alice", 1, 0)).toBe(0)
    expect(buckets.take("alice", 1, 0).ok).toBeTrue()
  })

  test("forgets the key that was used least recently when there are too many", () => {
    const buckets = createTokenBuckets({ burst: 1, perSecond: 1, keys: 2 })
    for (const key of ["a", "b", "c"]) buckets.take(key, 1, 0)
    expect(buckets.waitFor("a", 1, 0)).toBe(0)
    expect(buckets.waitFor("c", 1, 0)).toBe(1_000)
  })

  test("never grants more than burst and rate allow, and keeps its word on when to come again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ after: fc.nat(700), cost: fc.integer({ min: 1, max: 5 }) })),
        (calls) => {
          const buckets = createTokenBuckets({ burst: 5, perSecond: 4 })
          let now = 0
          let granted = 0
          for (const { after, cost } of calls) {
            now += after
            let taken = buckets.take("k", cost, now)
            if (!taken.ok) {
              now += taken.retryAfterMs
              taken = buckets.take("k", cost, now)
            }
            expect(taken.ok).toBeTrue()
            granted += cost
            expect(granted).toBeLessThanOrEqual(5 + (now / 1_000) * 4 + 1e-6)
          }
        },
      ),
    )
  })
})
