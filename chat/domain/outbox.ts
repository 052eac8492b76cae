import type { OutboxPosition } from "../store/nodes.ts"

/** Keeps track of what this node stores until the other nodes have been told of it. */
export interface Outbox {
  /** The position for so many entries that are about to be stored in one write; the first one's. */
  reserve(count: number): OutboxPosition
  /** The entry is in the log; the promise says when the others will hear of it, and rejects where they may not. */
  stored(position: OutboxPosition, published: Promise<void> | undefined): void
  /** Nothing was stored under this position, and nothing will be. */
  unused(position: OutboxPosition): void
  /** The write of so many entries failed: whether they are in the log is not known yet. */
  doubtful(position: OutboxPosition, count: number): void
}

/** The position of one entry among those that were stored together. */
export const positionAt = ({ node, number }: OutboxPosition, index: number): OutboxPosition => ({
  node,
  number: number + index,
})
