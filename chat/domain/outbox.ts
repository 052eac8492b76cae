import type { Stamp } from "../store/nodes.ts"

/** Keeps account of what this node stores until the other nodes have been told of it. */
export interface Outbox {
  /** The stamp for so many entries that are about to be stored in one write; the first one's. */
  stamp(count: number): Stamp
  /** The entry is in the log; the promise says when the others will hear of it, and rejects where they may not. */
  stored(stamp: Stamp, published: Promise<void> | undefined): void
  /** Nothing was stored under this stamp, and nothing will be. */
  unused(stamp: Stamp): void
  /** The write of so many entries failed: whether they are in the log is not known yet. */
  doubtful(stamp: Stamp, count: number): void
}

/** The stamp of one entry among those that were stored together. */
export const stampAt = ({ node, number }: Stamp, index: number): Stamp => ({
  node,
  number: number + index,
})
