import { unavailable } from "@parley/platform/errors.ts"
import type { Cancellation } from "./cancellation.ts"

const SWEEP_EVERY_MS = 250

/** Cancels operations that take too long: one timer for all, and none while there are no operations. */
export interface Deadlines {
  begin(cancellation: Cancellation): void
  end(cancellation: Cancellation): void
}

export function createDeadlines(withinMs: number): Deadlines {
  /** In the order in which they began, so the oldest come first. */
  const running = new Map<Cancellation, number>()
  let timer: Timer | undefined

  function sweep(): void {
    timer = undefined
    const now = performance.now()
    for (const [cancellation, until] of running) {
      if (until > now) break
      running.delete(cancellation)
      cancellation.cancel(unavailable(`This takes longer than ${withinMs / 1_000} s.`))
    }
    arm()
  }

  function arm(): void {
    if (timer || running.size === 0) return
    timer = setTimeout(sweep, Math.min(SWEEP_EVERY_MS, withinMs))
    timer.unref()
  }

  return {
    begin(cancellation) {
      running.set(cancellation, performance.now() + withinMs)
      arm()
    },
    end: (cancellation) => void running.delete(cancellation),
  }
}
