import type { Clock } from "@parley/platform/clock.ts"
import { unavailable } from "@parley/platform/errors.ts"

export interface SharedClock extends Clock, Disposable {
  /** Asks for the time. Rejects where it cannot be had; what was known before then stays. */
  look(): Promise<void>
  /** Looks now, and again and again until disposed of; resolves after the first look, whatever came of it. */
  follow(): Promise<void>
}

/** Between two looks, in ms: quartz goes wrong by a millisecond in that time at most. */
const LOOK_EVERY_MS = 10_000
/** The same as long as no look has succeeded. */
const AGAIN_AFTER_MS = 250
/** A look that takes longer than this says too little: it may be wrong by half of it. */
const MAX_ROUND_TRIP_MS = 1_000

/**
 * Follows the clock of a server, for all processes that use the server alike. Between two looks it goes by the time
 * that has passed, not by this machine's clock, which may be wrong and may be set at any moment.
 * @param elapsed ms since whenever; never goes back.
 */
export function createSharedClock(
  time: () => Promise<number>,
  elapsed: () => number = () => performance.now(),
): SharedClock {
  let offset: number | undefined
  let timer: Timer | undefined
  let stopped = false

  async function look(): Promise<void> {
    const asked = elapsed()
    const told = await time()
    const heard = elapsed()
    if (heard - asked > MAX_ROUND_TRIP_MS) {
      throw unavailable("The store takes too long to tell the time.")
    }
    offset = told - (asked + heard) / 2
  }

  async function follow(): Promise<void> {
    // A caller that needs the store hears why it is away.
    await look().catch(() => {})
    if (stopped) return
    timer = setTimeout(follow, offset === undefined ? AGAIN_AFTER_MS : LOOK_EVERY_MS)
    timer.unref()
  }

  return {
    now() {
      if (offset === undefined) throw unavailable("The store has not told the time yet.")
      return Math.round(offset + elapsed())
    },
    look,
    follow,
    [Symbol.dispose]() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
