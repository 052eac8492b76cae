import { LONGEST_BACKOFF_MS } from "../limits.ts"

/**
 * How long to wait before attempt `attempt` (0, 1, 2 …), in ms: doubling from `first` to `most`, and anything between
 * the half and the whole of that, so that a crowd does not come back in step.
 */
export function backoff(attempt: number, { first = 300, most = LONGEST_BACKOFF_MS } = {}): number {
  const whole = Math.min(most, first * 2 ** Math.min(attempt, 20))
  return whole / 2 + (Math.random() * whole) / 2
}

/** Resolves after `ms`, or as soon as the device says that it is online again, or when one of `wakes` fires. */
export function pause(ms: number, ...wakes: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener("online", done)
      for (const wake of wakes) wake?.removeEventListener("abort", done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    addEventListener("online", done)
    for (const wake of wakes) wake?.addEventListener("abort", done)
    if (wakes.some((wake) => wake?.aborted)) done()
  })
}

/**
 * Resolves after `ms` and no sooner, unless `stop` fires: the server has said how long to stay away. A tenth at random
 * is added, so that a crowd that was refused together does not come back together.
 */
export async function stayAway(ms: number, stop?: AbortSignal): Promise<void> {
  const until = performance.now() + ms * (1 + Math.random() / 10)
  while (!stop?.aborted) {
    const rest = until - performance.now()
    if (rest <= 0) return
    await pause(rest, stop)
  }
}
