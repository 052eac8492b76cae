/**
 * The lines of a history: `history.jsonl` of a run's folder, one JSON object a line, in the order in which they were
 * written. It is all that workload and checker share. docs/torture.md describes it.
 *
 * Times (`t`, and `done` where something took a while) are in ms of the harness's own monotonic clock, from the start of
 * the run. People are called by their names, conversations and messages by their ids.
 */
export type Line =
  | RunLine
  | PersonLine
  | GroupLine
  | SendLine
  | ChangeLine
  | MarkLine
  | LookLine
  | PageLine
  | OpenLine
  | ReadyLine
  | EntryLine
  | ReceiptLine
  | CloseLine
  | AwayLine
  | FaultLine
  | HealedLine
  | MomentLine

/** How an operation ended, where not well: refused with a code, or unknown. */
export type Failure = { code: string } | { lost: string }

interface Operation {
  /** When it was begun. */
  t: number
  /** When its answer was there, or was given up. */
  done: number
  who: string
}

/** An entry of a conversation's log, as a client or the store showed it. */
export interface Entry {
  seq: number
  by: string
  message?: { id: string; text: string }
  members?: { joined: string[]; left: string[] }
}

export interface RunLine {
  k: "run"
  t: number
  seed: string
  engines: string
  minutes: number
  started: string
  /** The names of the faults that the nemesis chooses from. */
  faults: string[]
}

/** Someone with an account. */
export interface PersonLine {
  k: "person"
  t: number
  who: string
  /** Is in no conversation but those of their own making, and does not care what becomes of what they send. */
  outsider: boolean
}

/** A conversation was made, with these members. */
export interface GroupLine extends Operation {
  k: "group"
  conversation: string
  members: string[]
}

/** One attempt to send a message. */
export interface SendLine extends Operation {
  k: "send"
  conversation: string
  id: string
  text: string
  answer: { seq: number; id: string; text: string; by: string } | Failure
}

/** One attempt to change who is a member. */
export interface ChangeLine extends Operation {
  k: "change"
  conversation: string
  add?: string[]
  remove?: string
  answer: { ok: true } | Failure
}

/** One attempt to move a watermark. */
export interface MarkLine extends Operation {
  k: "mark"
  conversation: string
  mark: "delivered" | "read"
  seq: number
  answer: { delivered: number; read: number } | Failure
}

/** A client asked for a conversation's state. */
export interface LookLine extends Operation {
  k: "look"
  conversation: string
  answer: Look | Failure
}

export interface Look {
  head: number
  delivered: number
  read: number
  unread: number
  /** The seq of the last message. */
  last: number | null
}

/** A client asked for a stretch of a log. */
export interface PageLine extends Operation {
  k: "page"
  conversation: string
  after: number
  /** The subscription on whose behalf a reader asked. */
  sub?: number
  answer: { entries: Entry[]; head?: number } | Failure
}

/** A reader subscribed, with the positions from which it wants to go on; null: with none. */
export interface OpenLine {
  k: "open"
  t: number
  sub: number
  /** The device: what one reader sees across its subscriptions belongs together. */
  reader: string
  who: string
  after: Record<string, number> | null
}

export interface ReadyLine {
  k: "ready"
  t: number
  sub: number
  recovered: boolean
  reload: string[]
}

export interface EntryLine extends Entry {
  k: "entry"
  t: number
  sub: number
  conversation: string
}

export interface ReceiptLine {
  k: "receipt"
  t: number
  sub: number
  conversation: string
  member: string
  delivered: number
  read: number
}

/** A subscription ended; nothing of it comes after. */
export interface CloseLine {
  k: "close"
  t: number
  sub: number
  why: string
}

/** A reader is gone, or hears nothing, of its own will, until `back`. */
export interface AwayLine {
  k: "away" | "back"
  t: number
  reader: string
}

export interface FaultLine {
  k: "fault"
  t: number
  fault: number
  name: string
  /** What it was done to. */
  target: string
  /** No other fault is under way from its begin until everyone has caught up. */
  alone: boolean
}

/** From here on whatever the fault broke is to recover. */
export interface HealedLine {
  k: "healed"
  t: number
  fault: number
}

/**
 * `quiet`: all writers have stopped and all readers have had the time to catch up; `asked`: everyone has been asked for what
 * they see.
 */
export interface MomentLine {
  k: "quiet" | "asked"
  t: number
}

/** A line of `store.jsonl`: what the store itself holds, read after the end, past the services. */
export type StoreLine =
  | (Entry & { k: "stored"; conversation: string })
  | { k: "member"; conversation: string; who: string; delivered: number; read: number }

/** What a history says for a text: itself where it is short, else its length and a digest. */
export function textMark(text: string): string {
  if (text.length <= 60) return text
  return `${text.slice(0, 24)}… ${text.length} ${Bun.hash(text).toString(36)}`
}
