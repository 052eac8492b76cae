import type { NodeRecord } from "../store/nodes.ts"

export interface Watch {
  /** Takes in what the registry says now, at a time of this process's own monotonic clock, in ms. */
  see(records: readonly NodeRecord[], now: number): void
  /** Those that live, as far as this node can tell. */
  live(): NodeRecord[]
  /** Those whose beat has stood still for too long. */
  dead(): NodeRecord[]
  /** Whether what it says is of late: it has looked, and not so long ago that others may count this node as dead. */
  isCurrent(now: number): boolean
}

/** In beats: one that is late, or one look that failed, is no death. */
const DEAD_AFTER = 4
/** In beats: a node that has not looked for so long cannot tell which others were silent meanwhile. */
const BLIND_AFTER = 2

/**
 * Tells the living from the dead by whether their beats move, in the time of the node that watches: clocks are never compared,
 * and may jump. A node that was frozen, or cut off from the store, begins to watch anew.
 */
export function createWatch(beatEvery: number): Watch {
  let seen = new Map<string, { record: NodeRecord; movedAt: number }>()
  let lookedAt = Number.NEGATIVE_INFINITY

  const all = () => [...seen.values()]
  const isSilent = ({ movedAt }: { movedAt: number }) =>
    lookedAt - movedAt >= DEAD_AFTER * beatEvery

  return {
    see(records, now) {
      const wasBlind = now - lookedAt > BLIND_AFTER * beatEvery
      const before = seen
      seen = new Map()
      for (const record of records) {
        const known = before.get(record.id)
        const moved = wasBlind || known?.record.beat !== record.beat
        seen.set(record.id, { record, movedAt: moved ? now : known.movedAt })
      }
      lookedAt = now
    },
    isCurrent: (now) => now - lookedAt < DEAD_AFTER * beatEvery,
    live: () =>
      all()
        .filter((one) => one.record.heir === null && !isSilent(one))
        .map(({ record }) => record),
    dead: () =>
      all()
        .filter((one) => one.record.heir !== null || isSilent(one))
        .map(({ record }) => record),
  }
}
