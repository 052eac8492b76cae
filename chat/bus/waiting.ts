import { setTimeout } from "node:timers/promises"
import { unavailable } from "@parley/platform/errors.ts"

/** Resolves after so many ms, or at once when the signal says that its caller waits no more. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => {})

/** As the promise; rejects with UNAVAILABLE and this message where it takes longer than so many ms. */
export async function within<T>(promise: Promise<T>, ms: number, message: string): Promise<T> {
  const over = new AbortController()
  const timeout = pause(ms, over.signal).then((): never => {
    throw unavailable(message)
  })
  // The one that loses the race rejects with no listener.
  timeout.catch(() => {})
  try {
    return await Promise.race([promise, timeout])
  } finally {
    over.abort()
  }
}
