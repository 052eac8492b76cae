/**
 * A conversation is a log: entries numbered 1, 2, 3 … without holes. What an entry says never changes once it is
 * stored; the present state of a conversation is what its entries fold to.
 */
export type Entry = MessageEntry | MembersEntry

interface EntryBase {
  conversation: string
  seq: number
  /** When it was stored, in ms since the epoch; never earlier than the entry before it. */
  at: number
  /** The user who caused it. */
  by: string
  tally: Tally
}

export interface MessageEntry extends EntryBase {
  kind: "message"
  /** The UUIDv7 that the sending client chose. */
  id: string
  text: string
}

export interface MembersEntry extends EntryBase {
  kind: "members"
  joined: string[]
  left: string[]
  promoted: string[]
  demoted: string[]
  /** Only in the first entry of a log: what it is the log of. */
  created?: Origin
}

export type ConversationKind = "DIRECT" | "GROUP"

export interface Origin {
  kind: ConversationKind
  /** A group's title; null for a direct conversation. */
  title: string | null
}

/**
 * Sums that every entry carries, so that counting messages between two seqs is two look-ups and not a scan. They are
 * exact because a seq is won by one writer only, who has folded everything below it.
 */
export interface Tally {
  /** Messages up to and including this entry. */
  messages: number
  /** Of these, the messages by this entry's own author. */
  ofAuthor: number
  /** The seq of the newest change of members, up to and including this entry. */
  members: number
}
