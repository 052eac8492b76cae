/**
 * How long to wait before attempt `attempt` (0, 1, 2 …), in ms: doubling from `first` to `most`, and anything between
 * the half and the whole of that, so that a crowd does not come back in step.
 */
export function backoff(attempt: number, { first = 300, most = 15_000 } = {}): number {
  const whole = Math.min(most, first * 2 ** Math.min(attempt, 20))
  return whole / 2 + (Math.random() * whole) / 2
}

/** Resolves after `ms`, or as soon as the device says that it is online again, or when `wake` fires. */
export function pause(ms: number, wake?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener("online", done)
      wake?.removeEventListener("abort", done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    addEventListener("online", done)
    wake?.addEventListener("abort", done)
    if (wake?.aborted) done()
  })
}
