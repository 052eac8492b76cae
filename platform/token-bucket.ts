import { LRUCache } from "lru-cache"
import { MAX_BUCKETS } from "./limits.ts"

export interface BucketSize {
  /** How much may be taken at once from a full bucket. */
  burst: number
  /** How much comes back in one second. */
  perSecond: number
  /** How many keys are remembered; MAX_BUCKETS unless given. */
  keys?: number
}

export type Taken = { ok: true } | { ok: false; retryAfterMs: number }

export interface TokenBuckets {
  /**
   * Takes `cost` from the bucket of a key, or nothing where less is there. A cost above `burst` is granted by a full
   * bucket and leaves a debt, so that every cost can be paid at some time.
   * @param now in ms, of any clock that is the same from call to call
   * @returns after how many ms, 1 at least, the same call would be granted where nothing else is taken.
   */
  take(key: string, cost: number, now: number): Taken
  /** Charges a use that has happened already: the bucket may end up in debt, by as much as `burst`. */
  charge(key: string, cost: number, now: number): void
  /** How many ms from now `take` would grant `cost`; 0 where it would grant it at once. Takes nothing. */
  waitFor(key: string, cost: number, now: number): number
}

/**
 * Token buckets, one for each key, as the generic cell rate algorithm has them (GCRA, ITU-T I.371): all that is kept for
 * a key is the time at which its bucket is full again.
 */
export function createTokenBuckets({
  burst,
  perSecond,
  keys = MAX_BUCKETS,
}: BucketSize): TokenBuckets {
  const msEach = 1_000 / perSecond
  const fill = burst * msEach
  const fullAt = new LRUCache<string, number>({ max: keys })

  const waitFor = (key: string, cost: number, now: number): number => {
    const after = Math.max(fullAt.get(key) ?? now, now) + Math.min(cost, burst) * msEach
    const wait = after - now - fill
    // A rest of floating point is no debt.
    return wait > 1e-6 ? wait : 0
  }
  const add = (key: string, cost: number, now: number) =>
    fullAt.set(key, Math.max(fullAt.get(key) ?? now, now) + cost * msEach)

  return {
    waitFor,
    take(key, cost, now) {
      const wait = waitFor(key, cost, now)
      if (wait > 0) return { ok: false, retryAfterMs: Math.max(1, Math.ceil(wait)) }
      add(key, cost, now)
      return { ok: true }
    },
    charge(key, cost, now) {
      add(key, cost, now)
      fullAt.set(key, Math.min(fullAt.get(key) ?? now, now + 2 * fill))
    },
  }
}
