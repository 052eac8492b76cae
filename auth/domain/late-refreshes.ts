import type { Clock } from "@parley/platform/clock.ts"
import { MAX_LATE_REFRESHES } from "../limits.ts"
import type { Store } from "../store/store.ts"

/**
 * Counts the generations of a session's refresh token that were asked for again long after they had been given out. An
 * honest client does that where an answer was lost: now and then. Two holders of the same tokens, who renew in turn, do
 * it at each generation.
 */
export interface LateRefreshes {
  /** Notes one; true where too many generations in a row had one, and the token is taken for shared. */
  note(session: string, generation: number): Promise<boolean>
}

/** @param keptMs how long a session lives without a renewal. */
export function createLateRefreshes(
  store: Pick<Store, "counter" | "putCounter">,
  clock: Clock,
  keptMs: number,
): LateRefreshes {
  return {
    async note(session, generation) {
      const key = `late:${session}`
      for (;;) {
        const counter = await store.counter(key)
        const noted = (counter?.hits ?? []).map(({ at }) => at)
        const first = generation - MAX_LATE_REFRESHES + 1
        const row = new Set([...noted.filter((at) => at >= first), generation])
        if (row.size >= MAX_LATE_REFRESHES) return true
        // The same lost answer, asked for once more.
        if (noted.includes(generation)) return false
        const hits = [...row].sort((a, b) => a - b).map((at) => ({ at, count: 1 }))
        const version = (counter?.version ?? 0) + 1
        const expiresAt = clock.now() + keptMs
        if (await store.putCounter({ key, version, hits, expiresAt })) return false
      }
    },
  }
}
