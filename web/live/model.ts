/** What the browser knows, as plain data: it is rendered on the server, sent to the browser, and goes on living there. */

export interface User {
  id: string
  username: string
  name: string
}

export interface Message {
  id: string
  seq: number
  /** A user's id; the name is looked up among the users that are known. */
  sender: string
  text: string | null
  /** RFC 3339. */
  sentAt: string
}

interface EntryBase {
  seq: number
  at: string
  /** A user's id. */
  by: string
}

/** One entry of a conversation's log. A kind that this version does not know still takes its place in the order. */
export type Entry =
  | (EntryBase & { kind: "message"; message: Message })
  | (EntryBase & {
      kind: "members"
      joined: string[]
      left: string[]
      promoted: string[]
      demoted: string[]
    })
  | (EntryBase & { kind: "other" })

export type Role = "MEMBER" | "ADMIN"

export interface Membership {
  role: Role
  /** Watermarks: they only ever move forward. */
  delivered: number
  read: number
}

export interface Conversation {
  id: string
  kind: "DIRECT" | "GROUP"
  title: string | null
  createdAt: string
  /** The highest seq seen without a hole before it; where `events` resumes. */
  position: number
  /** A part of the log, ascending and without holes, that ends at `loadedTo`. May be empty: not loaded yet. */
  entries: readonly Entry[]
  /** `position`, or a lower seq while the reader is further back than the newest page. */
  loadedTo: number
  /** Whether `entries` goes back to the first entry that the viewer may see. */
  complete: boolean
  /** Entries beyond a hole, ascending; they wait for what is missing. */
  ahead: readonly Entry[]
  lastMessage: Message | null
  /** The server's word on `lastMessage`, for groups whose members are not all loaded. */
  lastStatus: Tick
  unread: number
  members: Readonly<Record<string, Membership>>
  memberCount: number
  /** The viewer has left or was removed; only the position is of use any more. */
  left: boolean
}

export type Tick = "sent" | "delivered" | "read"

/** A message of the viewer's that is not known to be in the log yet. */
export interface Pending {
  id: string
  conversation: string
  text: string
  /** Milliseconds since the epoch, by this device's clock. */
  createdAt: number
  state: PendingState
}

export type PendingState =
  | { is: "sending" }
  /** Acknowledged, but its place in the log has not been reached yet. */
  | { is: "sent"; seq: number }
  /** Refused for good; the same id may be tried again by hand. */
  | { is: "failed"; reason: string }
