import { isAtEnd } from "../../live/log.ts"
import type { Conversation, Entry, Pending, PendingState, Tick } from "../../live/model.ts"
import { tickOf } from "../../live/ticks.ts"

/** One line of the thread, ready to be drawn. */
export type Row =
  | { row: "day"; key: string; at: number }
  | { row: "fresh"; key: string; count: number }
  | { row: "change"; key: string; entry: Extract<Entry, { kind: "members" }> }
  | MessageRow

export interface MessageRow {
  row: "message"
  key: string
  id: string
  text: string | null
  at: number
  sender: string
  own: boolean
  /** First and last of a run by one sender. */
  first: boolean
  last: boolean
  tick?: Tick | PendingState["is"]
  /** Why it was refused. */
  reason?: string
}

/** Messages of one sender that are not further apart than this look like one. */
const RUN_MS = 5 * 60_000

export interface RowOptions {
  viewer: string
  pending: readonly Pending[]
  /** Draws no more than the newest this many entries. */
  limit: number
  /** What was unread when the conversation was opened: so many messages beyond the read watermark. */
  fresh?: { after: number; count: number }
  dayKey(at: number): string
}

/** The rows of a thread, oldest first: the log, then what is not in it yet. */
export function rowsOf(conversation: Conversation, options: RowOptions): Row[] {
  const { viewer, pending, limit, fresh, dayKey } = options
  const rows: Row[] = []
  let day: string | undefined
  let divided = false

  const startDay = (at: number) => {
    const key = dayKey(at)
    if (key !== day) rows.push({ row: "day", key: `day ${key}`, at })
    day = key
  }

  const addMessage = (message: Omit<MessageRow, "row" | "key" | "first" | "last">) => {
    startDay(message.at)
    const before = rows.at(-1)
    const continues =
      before?.row === "message" &&
      before.sender === message.sender &&
      message.at - before.at < RUN_MS
    if (continues) before.last = false
    rows.push({ row: "message", key: message.id, ...message, first: !continues, last: true })
  }

  const entries = conversation.entries.slice(-limit)
  // Where the first unread message is not among these, a line in their middle would lie.
  const all = conversation.complete && entries.length === conversation.entries.length
  const reaches = (seq: number) => all || (entries[0]?.seq ?? Number.POSITIVE_INFINITY) <= seq + 1
  for (const entry of entries) {
    if (entry.kind === "members") {
      startDay(Date.parse(entry.at))
      rows.push({ row: "change", key: `seq ${entry.seq}`, entry })
    }
    if (entry.kind !== "message") continue
    const { message } = entry
    const own = message.sender === viewer
    if (!divided && fresh && reaches(fresh.after) && message.seq > fresh.after && !own) {
      divided = true
      startDay(Date.parse(message.sentAt))
      rows.push({ row: "fresh", key: "fresh", count: fresh.count })
    }
    addMessage({
      id: message.id,
      text: message.text,
      at: Date.parse(message.sentAt),
      sender: message.sender,
      own,
      tick: own ? tickOf(conversation, message.seq, viewer) : undefined,
    })
  }
  // What is on its way belongs behind the newest message; further back that is not here.
  for (const { id, text, createdAt, state } of isAtEnd(conversation) ? pending : []) {
    addMessage({
      id,
      text,
      at: createdAt,
      sender: viewer,
      own: true,
      tick: state.is,
      reason: state.is === "failed" ? state.reason : undefined,
    })
  }
  return rows
}

/** The rows day by day. */
export function daysOf(rows: readonly Row[]): { day: Extract<Row, { row: "day" }>; rows: Row[] }[] {
  const days: ReturnType<typeof daysOf> = []
  for (const row of rows) {
    if (row.row === "day") days.push({ day: row, rows: [] })
    else days.at(-1)?.rows.push(row)
  }
  return days
}
