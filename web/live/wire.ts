import type {
  WireConversation,
  WireLogEvent,
  WireMembers,
  WireMessage,
  WireStatus,
} from "./documents.ts"
import type { Conversation, Entry, Membership, Message, Tick, User } from "./model.ts"
import { shownName } from "./names.ts"

/** From the shapes of the graph to those of the store: names go to the users, everything else refers by id. */

const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id)

export const messageOf = (wire: WireMessage): Message => ({
  id: wire.id,
  seq: wire.seq,
  sender: wire.sender.id,
  text: wire.text,
  sentAt: wire.sentAt,
})

export function entryOf(event: WireLogEvent): Entry {
  const base = { seq: event.seq, at: event.at, by: event.by.id }
  switch (event.__typename) {
    case "MessageSent":
      return { ...base, kind: "message", message: messageOf(event.message) }
    case "MembersChanged":
      return {
        ...base,
        kind: "members",
        joined: ids(event.joined),
        left: ids(event.left),
        promoted: ids(event.promoted),
        demoted: ids(event.demoted),
      }
    default:
      return { ...(base as Omit<Entry, "kind">), kind: "other" }
  }
}

export const usersIn = (event: WireLogEvent): readonly User[] =>
  event.__typename === "MembersChanged" ? event.joined.map(userOf) : []

/** With a name that is safe to show; a person without one goes by their username. */
export const userOf = ({ id, username, name }: User): User => ({
  id,
  username: shownName(username),
  name: shownName(name) || shownName(username) || "Someone",
})

export const membersOf = (wire: WireMembers): Record<string, Membership> =>
  Object.fromEntries(
    wire.edges.map(({ node: { user, role, delivered, read } }) => [
      user.id,
      { role, delivered, read },
    ]),
  )

export const usersOf = (wire: WireMembers): User[] =>
  wire.edges.map(({ node }) => userOf(node.user))

const TICKS: Record<WireStatus, Tick> = { SENT: "sent", DELIVERED: "delivered", READ: "read" }

/** A conversation as the server has it now: nothing of its log is loaded, everything up to its head is accounted for. */
export const conversationOf = (wire: WireConversation, viewer: string): Conversation => ({
  id: wire.id,
  kind: wire.kind,
  title: wire.title && (shownName(wire.title) || "Group"),
  createdAt: wire.createdAt,
  position: wire.head,
  entries: [],
  loadedTo: wire.head,
  complete: wire.head === 0,
  ahead: [],
  lastMessage: wire.lastMessage && messageOf(wire.lastMessage),
  lastStatus: wire.lastMessage ? TICKS[wire.lastMessage.status] : "sent",
  unread: wire.unreadCount,
  members: { ...membersOf(wire.members), [viewer]: wire.me },
  memberCount: wire.members.totalCount,
  left: false,
})
