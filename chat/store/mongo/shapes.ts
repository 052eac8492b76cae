import type { IndexDescription } from "mongodb"
import type { Role } from "../../domain/conversation-state.ts"
import type { Entry, MembersEntry, MessageEntry, Origin, Tally } from "../../domain/entry.ts"
import { positionAt } from "../../domain/outbox.ts"
import type { Settings } from "../../domain/settings.ts"
import type { Usage } from "../../domain/usage.ts"
import type { NodeRecord, OutboxPosition } from "../nodes.ts"
import type { Member } from "../store.ts"

export const VERSION = 1

/** An entry under the id of its message, or under its place in the log where it is none. */
export type EntryDocument = (Omit<MessageEntry, "id"> | MembersEntry) & {
  _id: string
  /** The position. */
  node?: string
  number?: number
}

/** An entry as the end of its log, and the seq of the newest change of members up to there. */
export interface Top {
  seq: number
  at: number
  members: number
}

/** What an entry says of its log. */
export type TopDocument = Pick<EntryDocument, "conversation" | "seq" | "at" | "tally">
export const TOP = { _id: 0, conversation: 1, seq: 1, at: 1, tally: 1 } as const

export interface ConversationDocument {
  _id: string
  origin: Origin
  createdAt: number
  /** The seq of the newest change of members that is in `members`, whole, and so is every one before it. */
  applied: number
  /** An end of its log, which may be a little behind. */
  top: Top
}

export interface MemberDocument extends Member {
  /** The seq of the entry that this document was last changed by, and its time; older documents lack the time. */
  changed: number
  changedAt?: number
}

/** A change of members that a node may have begun and not finished. */
export interface IntentDocument {
  conversation: string
  seq: number
}

/** What a user did on a day, under the day and the user. */
export type UsageDocument = Usage & { _id: string }

/** What a user has chosen, under their id. */
export type SettingsDocument = Settings & { _id: string }

export type NodeDocument = Omit<NodeRecord, "id"> & { _id: string }

export const INDEXES: Record<string, IndexDescription[]> = {
  entries: [
    { key: { conversation: 1, seq: 1 }, unique: true },
    { key: { conversation: 1, by: 1, seq: 1 } },
    { key: { node: 1, number: 1 } },
  ],
  conversations: [],
  members: [
    { key: { conversation: 1, user: 1 }, unique: true },
    { key: { user: 1, conversation: 1 } },
    { key: { user: 1, until: 1, conversation: 1 } },
    { key: { conversation: 1, until: 1, delivered: 1 } },
    { key: { conversation: 1, until: 1, read: 1 } },
  ],
  intents: [],
  nodes: [],
  usage: [],
  settings: [],
}

/** @param index of the entry among those that were given the position together. */
export function entryDocument(entry: Entry, position: OutboxPosition | undefined, index: number) {
  const place = position && positionAt(position, index)
  if (entry.kind === "members") {
    return { _id: `${entry.conversation}/${entry.seq}`, ...entry, ...place } as EntryDocument
  }
  const { id, ...rest } = entry
  return { _id: id, ...rest, ...place } as EntryDocument
}

export function entryOf({ _id, node: _, number: __, ...entry }: EntryDocument): Entry {
  return entry.kind === "message" ? { ...entry, id: _id } : entry
}

export const topOf = ({ seq, at, tally }: { seq: number; at: number; tally: Tally }): Top => ({
  seq,
  at,
  members: tally.members,
})

export const memberOf = (document: MemberDocument): Member => ({
  conversation: document.conversation,
  user: document.user,
  role: document.role,
  since: document.since,
  joinedAt: document.joinedAt,
  until: document.until,
  delivered: document.delivered,
  read: document.read,
})

/** What a change makes of each user's document; a user in several lists is in the last state that they name. */
export function changesOf(entry: MembersEntry): Map<string, Partial<MemberDocument>> {
  const { seq, at } = entry
  const changes = new Map<string, Partial<MemberDocument>>()
  const change = (user: string, fields: Partial<MemberDocument>) =>
    changes.set(user, { ...changes.get(user), ...fields, changed: seq, changedAt: at })
  const role = (role: Role) => (user: string) => change(user, { role })

  // A user who joins again starts anew: what was before their return is not theirs to see.
  const marks = { delivered: seq, read: seq }
  for (const user of entry.joined) {
    change(user, { role: "MEMBER", since: seq, joinedAt: at, until: null, ...marks })
  }
  for (const user of entry.left) change(user, { until: seq })
  entry.promoted.forEach(role("ADMIN"))
  entry.demoted.forEach(role("MEMBER"))
  return changes
}
