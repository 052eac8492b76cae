import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { Counter, Store } from "../store/store.ts"

export interface RateLimitOptions {
  store: Pick<Store, "counter" | "putCounter">
  clock: Clock
  /** Tells its counters from those of other limits. */
  name: string
  limit: number
  windowMs: number
  /** What those who are refused read. */
  message: string
  /** A request that waits longer for those that are counted before it, in ms, is refused: the store has stopped. */
  patienceMs?: number
}

/**
 * At most `limit` events per subject in any window of `windowMs`, counted in the store: a restart forgets nothing, and
 * events at the same moment, on any node, cannot pass it together.
 */
export interface RateLimit {
  /**
   * Counts one event, before it takes place.
   * @returns what takes it back, for an event that turned out not to count.
   * @throws ParleyError RATE_LIMITED with `retryAfterMs`, or UNAVAILABLE where its turn did not come in time; nothing
   * was counted then.
   */
  take(subject: string): Promise<() => Promise<void>>
}

/** Small limits are counted to the millisecond; great ones in slots, so that a counter stays small. */
const EXACT_UP_TO = 64
const SLOTS = 60
const PATIENCE_MS = 5_000

export function createRateLimit(options: RateLimitOptions): RateLimit {
  const { store, clock, name, limit, windowMs, message, patienceMs = PATIENCE_MS } = options
  const slotMs = limit <= EXACT_UP_TO ? 1 : Math.ceil(windowMs / SLOTS)

  /** Compares and sets until it succeeds: each failure is the success of another process. */
  async function change(key: string, next: (hits: Counter["hits"]) => Counter["hits"]) {
    for (;;) {
      const counter = await store.counter(key)
      const now = clock.now()
      const hits = next((counter?.hits ?? []).filter((hit) => hit.at > now - windowMs))
      const version = (counter?.version ?? 0) + 1
      if (await store.putCounter({ key, version, hits, expiresAt: now + windowMs + slotMs })) return
    }
  }

  // Within this process, changes of one counter wait for each other instead of failing: a crowd of n would else try n²
  // times.
  const inTurn = createTurns()

  function refuseAtLimit(hits: Counter["hits"], now: number) {
    let excess = hits.reduce((sum, hit) => sum + hit.count, 0) - limit
    if (excess < 0) return
    const enough = hits.find((hit) => {
      excess -= hit.count
      return excess < 0
    })
    const retryAfterMs = Math.max(1, (enough?.at ?? now) + windowMs - now)
    throw new ParleyError("RATE_LIMITED", message, { retryAfterMs })
  }

  return {
    async take(subject) {
      const key = `${name}:${digest(subject)}`
      // Rounded up: a slot counts until its youngest event has left the window.
      const at = Math.ceil(clock.now() / slotMs) * slotMs
      const count = (hits: Counter["hits"]) => {
        refuseAtLimit(hits, clock.now())
        return add(hits, at, 1)
      }
      const came = performance.now()
      await inTurn(key, () => {
        // The client has left by now, and is not to be counted.
        if (performance.now() - came > patienceMs)
          throw unavailable("Too much is waiting just now.")
        return change(key, count)
      })
      return () => inTurn(key, () => change(key, (hits) => add(hits, at, -1)))
    },
  }
}

/** Runs the jobs of one key one after the other, in the order in which they came. */
function createTurns() {
  const last = new Map<string, Promise<void>>()
  return (key: string, job: () => Promise<void>): Promise<void> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(job)
    const done = turn
      .catch(() => {})
      .then(() => {
        if (last.get(key) === done) last.delete(key)
      })
    last.set(key, done)
    return turn
  }
}

function add(hits: Counter["hits"], at: number, count: number): Counter["hits"] {
  const present = hits.find((hit) => hit.at === at)
  if (!present) return count > 0 ? [...hits, { at, count }].sort((a, b) => a.at - b.at) : hits
  return hits
    .map((hit) => (hit === present ? { at, count: hit.count + count } : hit))
    .filter((hit) => hit.count > 0)
}

/** Subjects are addresses, and whatever people type into the field for the username: none of it is kept readable. */
const digest = (subject: string) => new Bun.CryptoHasher("sha256").update(subject).digest("hex")
