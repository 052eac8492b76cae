import { bytesOf } from "@parley/link/work.ts"
import { badInput } from "@parley/platform/errors.ts"
import { type GraphQLResolveInfo, GraphQLScalarType, Kind } from "graphql"
import type { DeliveryEvent } from "../delivery/subscription.ts"
import type { MembersEntry, MessageEntry } from "../domain/entry.ts"
import type { Sending } from "../domain/messages.ts"
import type { Receipt } from "../domain/receipts.ts"
import type { Adders } from "../domain/settings.ts"
import type { Member } from "../store/store.ts"
import { type ChatContext, viewerOf } from "./context.ts"
import { Conversation, type ConversationRef } from "./conversation.ts"
import { conversationPage } from "./list.ts"
import { itemBytes } from "./selection.ts"

const userRef = (id: string) => ({ id })
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
  conversations: conversationPage,

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
  async __resolveReference({ id }: { id: string }, context: ChatContext, info: GraphQLResolveInfo) {
    const turn = context.work.turn()
    if (turn) await turn
    context.work.charge(itemBytes(info), 1)
    return context.services.reader.message(viewerOf(context), id)
  },
  conversation: (message: MessageEntry) => conversationRef(message.conversation),
  sender: (message: MessageEntry) => userRef(message.by),
  text({ text }: MessageEntry, _args: unknown, context: ChatContext) {
    context.work.charge(bytesOf(text))
    return text
  },
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

/** One of the lists of users that a change of members names. */
const usersOf =
  (list: "joined" | "left" | "promoted" | "demoted") =>
  (
    { entry }: EntryEvent<MembersEntry>,
    _args: unknown,
    { work }: ChatContext,
    info: GraphQLResolveInfo,
  ) => {
    const users = entry[list]
    work.charge(users.length * itemBytes(info), users.length)
    return users.map(userRef)
  }

const ENTRY_TYPES = { message: "MessageSent", members: "MembersChanged" } as const

/** The GraphQL type of an event. */
function typeOfEvent(event: DeliveryEvent): string {
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
    reload(
      { reload }: { reload: string[] },
      _args: unknown,
      { work }: ChatContext,
      info: GraphQLResolveInfo,
    ) {
      work.charge(reload.length * itemBytes(info), reload.length)
      return reload.map(conversationRef)
    },
  },
  MessageSent: {
    ...entryFields,
    message: ({ entry }: EntryEvent<MessageEntry>) => entry,
  },
  MembersChanged: {
    ...entryFields,
    joined: usersOf("joined"),
    left: usersOf("left"),
    promoted: usersOf("promoted"),
    demoted: usersOf("demoted"),
  },
  ReceiptMoved: {
    conversation: (receipt: Receipt) => conversationRef(receipt.conversation),
    user: (receipt: Receipt) => userRef(receipt.user),
  },
}
