import { MISSED_IN_ONE } from "../limits.ts"
import type { Store } from "../store/store.ts"
import type { Registered } from "./hub.ts"
import type { Positions } from "./replay.ts"

/** Look-ups that are under way at once. */
const AT_ONCE = 50

/**
 * The positions of a client that has everything up to a time: those that it names, and for every other conversation of
 * its user the newest entry at or before that time. Only conversations with a newer entry are looked at in their logs.
 * @param since ms since the epoch.
 * @param pause called between look-ups; a long list is one of many things that the node has to do.
 */
export async function positionsSince(
  registered: readonly Registered[],
  named: Positions,
  since: number,
  store: Pick<Store, "seqAt">,
  pause: () => Promise<void> | undefined,
): Promise<Positions> {
  const positions = new Map(named)
  const moved: Registered[] = []
  for (const one of registered) {
    const { conversation, head, headAt } = one.membership
    if (positions.has(conversation)) continue
    if (headAt > since) moved.push(one)
    else positions.set(conversation, head)
  }
  for (let from = 0; from < moved.length; from += AT_ONCE) {
    const paused = pause()
    if (paused) await paused
    await Promise.all(
      moved.slice(from, from + AT_ONCE).map(async ({ membership, upTo }) => {
        const { conversation } = membership
        // What is further back is not replayed anyway.
        const floor = Math.max(0, upTo - MISSED_IN_ONE - 1)
        positions.set(conversation, await store.seqAt(conversation, since, floor, upTo))
      }),
    )
  }
  return positions
}
