import { CombinedError } from "@urql/core"
import { backoff, pause, stayAway } from "./backoff.ts"
import { failureOf } from "./errors.ts"

export interface RetryOptions {
  /** Gives up. */
  stop?: AbortSignal | undefined
  /** Ends the present pause, though never before the time that the server has named. */
  wake?: (() => AbortSignal) | undefined
  /** Called after each attempt that failed, before the pause. */
  failed?: ((error: unknown) => void) | undefined
}

/**
 * Does the work until it works, after growing pauses, and no sooner than the server asks for (`retryAfterMs`).
 * Resolves to undefined where `stop` fires first. Everything that the app asks for again goes through here.
 */
export async function untilDone<T>(
  work: () => Promise<T>,
  { stop, wake, failed }: RetryOptions = {},
): Promise<T | undefined> {
  for (let attempt = 0; !stop?.aborted; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (stop?.aborted) return undefined
      failed?.(error)
      await waitAfter(error, attempt, { stop, wake })
    }
  }
  return undefined
}

/** The pause after attempt `attempt` (0, 1, 2 …) that ended with this error. */
export async function waitAfter(
  error: unknown,
  attempt: number,
  { stop, wake }: Pick<RetryOptions, "stop" | "wake"> = {},
): Promise<void> {
  const failure = error instanceof CombinedError ? failureOf(error) : undefined
  const afterMs = failure?.is === "later" ? (failure.afterMs ?? 0) : 0
  await Promise.all([pause(backoff(attempt), stop, wake?.()), stayAway(afterMs, stop)])
}
