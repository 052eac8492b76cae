import { badInput } from "@parley/service/errors.ts"
import { GraphQLScalarType, Kind } from "graphql"
import type { SessionEvent } from "../delivery/session.ts"
import type { MembersEntry, MessageEntry } from "../domain/entry.ts"
import type { Sending } from "../domain/messages.ts"
import type { Receipt } from "../domain/receipts.ts"
import type { Adders } from "../domain/settings.ts"
import type { Member, MembershipView } from "../store/store.ts"
import { type ChatContext, viewerOf } from "./context.ts"
import { Conversation, type ConversationRef } from "./conversation.ts"
import { checkPage, connection, placeFromCursor, toCursor } from "./paging.ts"

const userRef = (id: string) => ({ id })
const userRefs = (ids: readonly string[]) => ids.map(userRef)
const conversationRef = (id: string): ConversationRef => ({ id })

/** Times are ms since the epoch inside, RFC 3339 outside. */
const DateTime = new GraphQLScalarType({
  name: "DateTime",
  serialize: (ms) => new Date(Number(ms)).toISOString(),
  parseValue: parseTime,
  parseLiteral: (node) => parseTime(node.kind === Kind.STRING ? node.value : undefined),
})

function parseTime(value: unknown): number {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw badInput("DateTime", "A time is written as RFC 3339 has it.")
  return ms
}

const Query = {
  async conversations(
    _root: unknown,
    { first, after }: { first: number; after?: string | null },
    context: ChatContext,
  ) {
    checkPage(first, "first")
    const all = await context.services.reader.conversations(viewerOf(context))
    const last = after == null ? undefined : placeFromCursor(after, "c", "after")
    const isAfter = ({ headAt, conversation }: MembershipView) =>
      !last || headAt < last.at || (headAt === last.at && conversation < last.id)
    const rest = all.filter(isAfter)
    const edges = rest.slice(0, first).map((membership) => ({
      cursor: () => toCursor("c", membership.headAt, membership.conversation),
      node: { id: membership.conversation, membership },
    }))
    return connection(edges, {
      hasNextPage: rest.length > first,
      hasPreviousPage: rest.length < all.length,
    })
  },

  async conversation(_root: unknown, { id }: { id: string }, context: ChatContext) {
    const membership = await context.services.reader.membership(viewerOf(context), id)
    return { id, membership }
  },

  message: (_root: unknown, { id }: { id: string }, context: ChatContext) =>
    context.services.reader.message(viewerOf(context), id),

  settings: (_root: unknown, _args: unknown, context: ChatContext) =>
    context.services.settings.of(viewerOf(context)),
}

const Mutation = {
  async startDirect(_root: unknown, { user }: { user: string }, context: ChatContext) {
    return conversationRef(
      await context.services.groups.startDirect(viewerOf(context), user, context.cause),
    )
  },

  async createGroup(
    _root: unknown,
    { title, members, id }: { title: string; members: string[]; id?: string | null },
    context: ChatContext,
  ) {
    const { groups } = context.services
    const viewer = viewerOf(context)
    return conversationRef(await groups.create(viewer, title, members, context.cause, id))
  },

  sendMessage: (_root: unknown, { input }: { input: Sending }, context: ChatContext) =>
    context.services.messages.send(viewerOf(context), input, context.cause),

  markDelivered: mark("delivered"),
  markRead: mark("read"),

  async addMembers(
    _root: unknown,
    { conversation, users }: { conversation: string; users: string[] },
    context: ChatContext,
  ) {
    await context.services.groups.add(viewerOf(context), conversation, users, context.cause)
    return conversationRef(conversation)
  },

  async removeMember(
    _root: unknown,
    { conversation, user }: { conversation: string; user: string },
    context: ChatContext,
  ) {
    await context.services.groups.remove(viewerOf(context), conversation, user, context.cause)
    return conversationRef(conversation)
  },

  async leaveConversation(
    _root: unknown,
    { conversation }: { conversation: string },
    context: ChatContext,
  ) {
    await context.services.groups.leave(viewerOf(context), conversation, context.cause)
    return true
  },

  updateSettings: (
    _root: unknown,
    { input }: { input: { mayAdd?: Adders | null } },
    context: ChatContext,
  ) => context.services.settings.update(viewerOf(context), input),
}

function mark(kind: "delivered" | "read") {
  return (
    _root: unknown,
    { conversation, seq }: { conversation: string; seq: number },
    context: ChatContext,
  ) => context.services.receipts.mark(viewerOf(context), conversation, kind, seq, context.cause)
}

const Message = {
  async __resolveReference({ id }: { id: string }, context: ChatContext) {
    return context.services.reader.message(viewerOf(context), id)
  },
  conversation: (message: MessageEntry) => conversationRef(message.conversation),
  sender: (message: MessageEntry) => userRef(message.by),
  sentAt: (message: MessageEntry) => message.at,
  status: (message: MessageEntry, _args: unknown, context: ChatContext) =>
    context.services.reader.status(message),
}

const MemberResolvers = {
  user: (member: Member) => userRef(member.user),
}

type EntryEvent<E> = { entry: E }

const entryFields = {
  conversation: ({ entry }: EntryEvent<MessageEntry | MembersEntry>) =>
    conversationRef(entry.conversation),
  seq: ({ entry }: EntryEvent<MessageEntry | MembersEntry>) => entry.seq,
  at: ({ entry }: EntryEvent<MessageEntry | MembersEntry>) => entry.at,
  by: ({ entry }: EntryEvent<MessageEntry | MembersEntry>) => userRef(entry.by),
}

const ENTRY_TYPES = { message: "MessageSent", members: "MembersChanged" } as const

/** The GraphQL type of an event. */
function typeOfEvent(event: SessionEvent): string {
  switch (event.kind) {
    case "entry":
      return ENTRY_TYPES[event.entry.kind]
    case "receipt":
      return "ReceiptMoved"
    case "ready":
      return "Ready"
  }
}

/** Thin: viewer and input go to the domain, and what comes back is named as the schema names it. */
export const resolvers = {
  DateTime,
  Query,
  Mutation,
  Conversation,
  Member: MemberResolvers,
  Message,
  Event: { __resolveType: typeOfEvent },
  LogEvent: { __resolveType: typeOfEvent },
  Ready: {
    reload: ({ reload }: { reload: string[] }) => reload.map(conversationRef),
  },
  MessageSent: {
    ...entryFields,
    message: ({ entry }: EntryEvent<MessageEntry>) => entry,
  },
  MembersChanged: {
    ...entryFields,
    joined: ({ entry }: EntryEvent<MembersEntry>) => userRefs(entry.joined),
    left: ({ entry }: EntryEvent<MembersEntry>) => userRefs(entry.left),
    promoted: ({ entry }: EntryEvent<MembersEntry>) => userRefs(entry.promoted),
    demoted: ({ entry }: EntryEvent<MembersEntry>) => userRefs(entry.demoted),
  },
  ReceiptMoved: {
    conversation: (receipt: Receipt) => conversationRef(receipt.conversation),
    user: (receipt: Receipt) => userRef(receipt.user),
  },
}
