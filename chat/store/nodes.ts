import type { Entry } from "../domain/entry.ts"

/** One life of a chat node, as the other nodes see it. A node that starts anew has a new id. */
export interface NodeRecord {
  id: string
  /** Where gateways reach it. */
  url: string
  /** Goes up while it lives. A node that has not seen it move for a while counts this one as dead: no clocks are compared. */
  beat: number
  /** It is stopping: sessions are to move elsewhere. */
  draining: boolean
  /** It cannot publish on the bus just now: others read what it stores from the log. Absent means that it can. */
  mute?: boolean
  /** Of the entries that it stored, numbered from 1, all up to this one have been announced on the bus. */
  announced: number
  /** The node that announces the rest in its place, since it was counted as dead. */
  heir: string | null
}

/** As what an entry is stored: which node's, and the how-manieth of that node's. */
export interface OutboxPosition {
  node: string
  number: number
}

/** An entry beside its number among those of the node that stored it. */
export interface NumberedEntry {
  number: number
  entry: Entry
}

/**
 * The registry of the nodes that share a store, and what each has stored that the others may not have heard of: the
 * outbox. An entry is its own place in the outbox: the write that stores it carries its position, so no message costs a
 * write more. Every method is one step on one document, or only reads.
 */
export interface Nodes {
  /** Writes a node's own record, made where there is none; false where another node has become its heir: that life is over. */
  put(record: Omit<NodeRecord, "heir">): Promise<boolean>
  all(): Promise<NodeRecord[]>
  /** Makes `heir` the heir of a node whose record still is as it was seen (beat and heir); false where it is not. */
  inherit(seen: NodeRecord, heir: string): Promise<boolean>
  /** Notes how far a dead node's entries have been announced in its place; never back. */
  announce(id: string, upTo: number): Promise<void>
  forget(id: string): Promise<void>
  /**
   * What a node stored with number > after, and what it stored under the numbers in `also`, none of which is beyond
   * `after`: in ascending order of the numbers. Some numbers were never used.
   */
  storedBy(
    id: string,
    after: number,
    limit: number,
    also?: readonly number[],
  ): Promise<NumberedEntry[]>
  /** The highest number under which a node has stored something; 0 where it has stored nothing. */
  newestOf(id: string): Promise<number>
}
