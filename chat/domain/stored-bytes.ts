import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import { every } from "@parley/platform/every.ts"
import type { Logger } from "@parley/platform/log.ts"
import { LRUCache } from "lru-cache"
import {
  COUNT_AGAIN_AFTER,
  COUNT_BYTES_AT,
  COUNT_BYTES_EVERY,
  COUNT_BYTES_WITHIN,
  COUNT_FRESH_FOR,
  COUNTS_AT_ONCE,
  KEEP_USAGE_DAYS,
  MAX_BYTE_COUNTS,
  MAX_UNCOUNTED,
} from "../limits.ts"
import type { UsageStore } from "../store/usage.ts"
import type { OnLimited } from "./allowance.ts"
import { type Day, dayOf, EVER, untilTomorrow } from "./usage.ts"

/**
 * How many bytes of text each person has stored, today and in all. Counted in memory and written down now and then, so
 * that a message costs no further write; what a node has not written down when it is killed is forgotten.
 */
export interface StoredBytes extends AsyncDisposable {
  /** @throws ParleyError where so many more would be too many: RATE_LIMITED until tomorrow, FORBIDDEN for good. */
  check(user: string, bytes: number): void
  /** So many have been stored. */
  add(user: string, bytes: number): void
  /** Writes down what was counted since the last time. */
  flush(): Promise<void>
}

export interface StoredBytesOptions {
  usage: UsageStore
  limits: Record<"TEXT_BYTES_PER_DAY" | "TEXT_BYTES_PER_PERSON", number>
  clock: Clock
  log: Logger
  onLimited?: OnLimited
}

interface Count {
  day: Day
  today: number
  ever: number
  /** When the store was asked. */
  at: number
}

export function createStoredBytes(options: StoredBytesOptions): StoredBytes {
  const { usage, limits, clock, log, onLimited } = options
  /** What the store has. */
  const counts = new LRUCache<string, Count>({ max: MAX_BYTE_COUNTS })
  /** What it does not have yet. */
  const uncounted = new Map<string, number>()
  /** All of them are being written down. */
  let isFlushing = false
  /** The day on which old days were forgotten last; undefined in the first minute, which a node needs for its start. */
  let forgotten: Day | undefined

  /** Sends wait for no count: until the store has said it, a person has stored nothing, which their bucket bounds. */
  function countOf(user: string): Count {
    const now = clock.now()
    const day = dayOf(now)
    const known = counts.get(user)
    if (known && known.day === day && now - known.at < COUNT_FRESH_FOR) return known
    const count = {
      day,
      today: known?.day === day ? known.today : 0,
      ever: known?.ever ?? 0,
      at: now,
    }
    counts.set(user, count)
    load(user, count).catch((error) => {
      count.at = now - COUNT_FRESH_FOR + COUNT_AGAIN_AFTER
      log.debug("a person's usage cannot be read", { error })
    })
    return count
  }

  async function load(user: string, count: Count): Promise<void> {
    const [today, ever] = await Promise.all([usage.of(user, count.day), usage.of(user, EVER)])
    count.today = Math.max(count.today, today.bytes)
    count.ever = Math.max(count.ever, ever.bytes)
  }

  async function writeDown(user: string): Promise<void> {
    const bytes = uncounted.get(user)
    if (bytes === undefined) return
    uncounted.delete(user)
    const now = clock.now()
    const day = dayOf(now)
    // Those on their way to the store count all the while.
    const before = countOf(user)
    before.today += bytes
    before.ever += bytes
    try {
      const today = await usage.add(user, day, { bytes })
      const ever = await usage.add(user, EVER, { bytes })
      counts.set(user, { day, today: today.bytes, ever: ever.bytes, at: now })
    } catch (error) {
      // Whether it has been added is unknown: a person's count may be a little too low, and never too high.
      log.debug("a person's usage cannot be written", { error })
    }
  }

  async function flush(): Promise<void> {
    isFlushing = true
    const users = [...uncounted.keys()]
    for (let from = 0; from < users.length; from += COUNTS_AT_ONCE) {
      await Promise.all(users.slice(from, from + COUNTS_AT_ONCE).map(writeDown))
    }
    isFlushing = false
  }

  async function forget(): Promise<void> {
    const day = dayOf(clock.now())
    if (forgotten !== undefined && day !== forgotten) await usage.forget(day - KEEP_USAGE_DAYS)
    forgotten = forgotten === undefined ? 0 : day
  }

  const writing = every(
    COUNT_BYTES_EVERY,
    async () => {
      await flush()
      await forget()
    },
    (error) => log.debug("old usage cannot be forgotten just now", { error }),
  )

  return {
    check(user, bytes) {
      const { today, ever } = countOf(user)
      const more = bytes + (uncounted.get(user) ?? 0)
      if (ever + more > limits.TEXT_BYTES_PER_PERSON) {
        onLimited?.("textEver")
        throw new ParleyError("FORBIDDEN", "This account has stored as much as one account may.")
      }
      if (today + more > limits.TEXT_BYTES_PER_DAY) {
        onLimited?.("textToday")
        throw new ParleyError("RATE_LIMITED", "That is as much text as one day takes.", {
          retryAfterMs: untilTomorrow(clock.now()),
        })
      }
    },

    add(user, bytes) {
      const sum = (uncounted.get(user) ?? 0) + bytes
      uncounted.set(user, sum)
      if (sum >= COUNT_BYTES_AT) void writeDown(user)
      else if (uncounted.size > MAX_UNCOUNTED && !isFlushing) void flush()
    },

    flush,

    async [Symbol.asyncDispose]() {
      void writing.stop()
      // A store that is away keeps no node from stopping.
      await Promise.race([flush(), Bun.sleep(COUNT_BYTES_WITHIN)])
    },
  }
}
