import { LRUCache } from "lru-cache"

export interface TokenBucketOptions {
  /** Tokens that come back in a minute. */
  perMinute: number
  /** Tokens of a bucket that is full: as much may be taken at once. */
  burst: number
  /** Keys that are remembered. One that is forgotten begins anew with a full bucket. */
  maxKeys: number
  /** In ms; never runs back. */
  now(): number
}

/** One bucket of tokens for each key. */
export interface TokenBuckets {
  /**
   * Takes tokens. Answers 0 where they were there, or else, with nothing taken, the ms after which they will be. What
   * costs more than a full bucket holds costs a full bucket.
   */
  take(key: string, tokens?: number): number
}

/**
 * Token buckets by the generic cell rate algorithm (GCRA; ITU-T I.371, Annex A): of each key one number is kept, the
 * time at which its bucket would be full again. Taking moves it on; where it would lie further ahead than a full bucket
 * takes to fill, the key has taken too much.
 */
export function createTokenBuckets(options: TokenBucketOptions): TokenBuckets {
  const { burst, now } = options
  const perToken = 60_000 / options.perMinute
  const whole = burst * perToken
  const fullAt = new LRUCache<string, number>({ max: options.maxKeys })
  return {
    take(key, tokens = 1) {
      const time = now()
      const next = Math.max(fullAt.get(key) ?? 0, time) + Math.min(tokens, burst) * perToken
      const over = next - time - whole
      // Sums of fractions are not exact: less than a microsecond is none.
      if (over > 1e-3) return Math.max(1, Math.ceil(over))
      fullAt.set(key, next)
      return 0
    },
  }
}
