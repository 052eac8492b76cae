import { bytesOf, fewInTurn, inTurn } from "@parley/link/work.ts"
import { badInput, notFound } from "@parley/platform/errors.ts"
import { shownLine } from "@parley/platform/names.ts"
import type { GraphQLResolveInfo } from "graphql"
import { checkCount } from "../domain/checks.ts"
import type { MessageEntry } from "../domain/entry.ts"
import type { StateCache } from "../domain/state-cache.ts"
import { LOG_PAGE } from "../limits.ts"
import type { Created, Member, MembershipView } from "../store/store.ts"
import { type ChatContext, viewerOf } from "./context.ts"
import {
  type Connection,
  checkPage,
  connection,
  fromCursor,
  seqFromCursor,
  toCursor,
} from "./paging.ts"
import { itemBytes } from "./selection.ts"

/** A conversation in the graph: its id, and what has been read of it already. */
export interface ConversationRef {
  id: string
  /** The viewer's membership. */
  membership?: Member | MembershipView
  /** Its newest seq, so that several fields of one operation look once. */
  newest?: Promise<number>
}

const MAX_SEQ = 2 ** 31 - 1

/** What never changes is at hand for every conversation that is busy here; else the store is asked. */
const withOrigin =
  <T>(read: (created: Partial<Created>) => T) =>
  ({ id }: ConversationRef, _args: unknown, { services }: ChatContext): T | Promise<T> => {
    const state = services.states.peek(id)
    return state ? read(state) : services.store.origin(id).then((created) => read(created ?? {}))
  }
const titleOf = withOrigin(({ origin }) => origin?.title)

/** The viewer's membership, present or past. @throws ParleyError NOT_FOUND where there never was one. */
async function membershipOf(ref: ConversationRef, context: ChatContext): Promise<Member> {
  const viewer = viewerOf(context)
  const member = ref.membership ?? (await context.services.reader.anyMembership(viewer, ref.id))
  if (!member) throw notFound("conversation")
  return member
}

/** The newest seq that the viewer may see; on a node that has not written to the log lately, too. */
async function headOf(
  ref: ConversationRef,
  member: Member,
  { services: { states } }: ChatContext,
): Promise<number> {
  if (member.until !== null) return member.until
  if (ref.membership && "head" in ref.membership) return ref.membership.head
  ref.newest ??= newestOf(ref.id, states)
  return ref.newest
}

async function newestOf(id: string, states: StateCache): Promise<number> {
  const state = await states.get(id)
  await states.catchUp(state)
  return state.head
}

interface MessagePage {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
}

/**
 * Relay's paging over the messages of a log, by seq; the newest 50 where nothing is asked for. A page of long texts ends
 * early, and says that there are more.
 */
export async function messagePage(
  member: Member,
  page: MessagePage,
  { services }: ChatContext,
): Promise<Connection<MessageEntry>> {
  const { first, last } = page
  if (first != null && last != null) throw badInput("first", "Either first or last, not both.")
  const order = first == null ? "newest" : "oldest"
  const size = first == null ? checkPage(last ?? 50, "last") : checkPage(first, "first")
  const after = page.after == null ? 0 : seqFromCursor(page.after, "m", "after")
  const before = page.before == null ? MAX_SEQ : seqFromCursor(page.before, "m", "before")
  if (member.until !== null) return connection<MessageEntry>([], {})
  const range = { from: after + 1, to: before - 1, limit: size + 1, order } as const
  const { messages: found, isCut } = await services.reader.messages(member, range)
  const isMore = isCut || found.length > size
  if (found.length > size && order === "oldest") found.pop()
  if (found.length > size && order === "newest") found.shift()
  const edges = found.map((node) => ({ cursor: () => toCursor("m", node.seq), node }))
  return connection(edges, {
    hasNextPage: order === "oldest" ? isMore : page.before != null,
    hasPreviousPage: order === "newest" ? isMore : page.after != null,
  })
}

export const Conversation = {
  async __resolveReference(
    { id }: { id: string },
    context: ChatContext,
    info: GraphQLResolveInfo,
  ): Promise<ConversationRef | null> {
    const turn = context.work.turn()
    if (turn) await turn
    context.work.charge(itemBytes(info), 1)
    const membership = await context.services.reader.anyMembership(viewerOf(context), id)
    return membership?.until === null ? { id, membership } : null
  },
  kind: withOrigin(({ origin }) => origin?.kind),
  title(ref: ConversationRef, args: unknown, context: ChatContext) {
    const charged = (title: string | null | undefined) => {
      if (!title) return title
      context.work.charge(bytesOf(title))
      return shownLine(title, "Group")
    }
    const title = titleOf(ref, args, context)
    return title instanceof Promise ? title.then(charged) : charged(title)
  },
  createdAt: withOrigin(({ createdAt }) => createdAt),
  me: (ref: ConversationRef, _args: unknown, context: ChatContext) => membershipOf(ref, context),

  async head(ref: ConversationRef, _args: unknown, context: ChatContext) {
    return headOf(ref, await membershipOf(ref, context), context)
  },

  async unreadCount(ref: ConversationRef, _args: unknown, context: ChatContext) {
    const member = await membershipOf(ref, context)
    if (member.until !== null) return 0
    return context.services.reader.unread(member, await headOf(ref, member, context))
  },

  async lastMessage(ref: ConversationRef, _args: unknown, context: ChatContext) {
    const member = await membershipOf(ref, context)
    if (member.until !== null) return undefined
    return context.services.reader.lastMessage(member, await headOf(ref, member, context))
  },

  async messages(
    ref: ConversationRef,
    page: MessagePage,
    context: ChatContext,
    info: GraphQLResolveInfo,
  ) {
    const member = await membershipOf(ref, context)
    return fewInTurn(context.work, async () => {
      const messages = await messagePage(member, page, context)
      const { length } = messages.edges
      context.work.charge(length * itemBytes(info), length)
      return messages
    })
  },

  async log(
    ref: ConversationRef,
    { after, first }: { after: number; first: number },
    context: ChatContext,
    info: GraphQLResolveInfo,
  ) {
    checkCount(after, "after", MAX_SEQ)
    checkCount(first, "first", LOG_PAGE, 1)
    const member = await membershipOf(ref, context)
    return fewInTurn(context.work, async () => {
      const entries = await context.services.reader.log(member, after, first)
      context.work.charge(entries.length * itemBytes(info), entries.length)
      return entries.map((entry) => ({ kind: "entry", entry }))
    })
  },

  async members(
    ref: ConversationRef,
    { first, after }: { first: number; after?: string | null },
    context: ChatContext,
    info: GraphQLResolveInfo,
  ) {
    checkPage(first, "first")
    const from = after == null ? "" : fromCursor(after, "u", "after")[0]!
    const { until } = await membershipOf(ref, context)
    if (until !== null) return { ...connection<Member>([], {}), totalCount: 0 }
    const { store } = context.services
    const found = await inTurn(context.work, () => store.members(ref.id, from, first + 1))
    const page = found.slice(0, first)
    context.work.charge(page.length * itemBytes(info), page.length)
    const isAll = from === "" && found.length <= first
    const edges = page.map((node) => ({ cursor: () => toCursor("u", node.user), node }))
    return {
      ...connection(edges, { hasNextPage: found.length > first, hasPreviousPage: from !== "" }),
      totalCount: () => (isAll ? found.length : store.countMembers(ref.id)),
    }
  },
}
