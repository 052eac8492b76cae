import type { Role } from "../../domain/conversation-state.ts"
import type { Entry, MembersEntry } from "../../domain/entry.ts"
import type { Member } from "../store.ts"

export interface EntryRow {
  conversation: string
  seq: number
  at: number
  author: string
  kind: string
  id: string | null
  body: string
  messages: number
  of_author: number
  members: number
}

export interface MemberRow {
  conversation: string
  user: string
  role: Role
  since: number
  joined_at: number
  until: number | null
  delivered: number
  read: number
}

export function toRow(entry: Entry) {
  const { conversation, seq, at, by: author, kind, tally } = entry
  const { messages, ofAuthor, members } = tally
  const place = { conversation, seq, at, author, kind, messages, ofAuthor, members }
  if (entry.kind === "message") return { ...place, id: entry.id, body: entry.text }
  const { joined, left, promoted, demoted, created } = entry
  return { ...place, id: null, body: JSON.stringify({ joined, left, promoted, demoted, created }) }
}

type MembersBody = Pick<MembersEntry, "joined" | "left" | "promoted" | "demoted" | "created">

export function toEntry(row: EntryRow): Entry {
  const { conversation, seq, at, author: by } = row
  const tally = { messages: row.messages, ofAuthor: row.of_author, members: row.members }
  const base = { conversation, seq, at, by, tally }
  return row.kind === "message"
    ? { ...base, kind: "message", id: row.id!, text: row.body }
    : { ...base, ...(JSON.parse(row.body) as MembersBody), kind: "members" }
}

export const toMember = ({ joined_at, ...row }: MemberRow): Member => ({
  conversation: row.conversation,
  user: row.user,
  role: row.role,
  since: row.since,
  joinedAt: joined_at,
  until: row.until,
  delivered: row.delivered,
  read: row.read,
})
