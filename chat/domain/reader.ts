import { createBatch } from "@parley/platform/batch.ts"
import { notFound } from "@parley/platform/errors.ts"
import { PAGE_BYTES } from "../limits.ts"
import type { ListPlace, Member, MembershipView, Range, Store } from "../store/store.ts"
import { checkId } from "./checks.ts"
import type { Entry, MessageEntry } from "./entry.ts"
import { withinBytes } from "./entry-bytes.ts"

/** The seqs that a member may see: from their joining to now, or to their leaving. Both ends included. */
export interface Window {
  from: number
  to: number
}

export type MessageStatus = "SENT" | "DELIVERED" | "READ"

export interface Reader {
  /** The user's present membership. @throws ParleyError NOT_FOUND where there is none, whether or not there is such a conversation. */
  membership(user: string, conversation: string): Promise<Member>
  /** Present or past; undefined where the user never was a member. */
  anyMembership(user: string, conversation: string): Promise<Member | undefined>
  /** The user's present conversations, by newest entry: those after a place in this order. */
  conversations(
    user: string,
    after: ListPlace | undefined,
    limit: number,
  ): Promise<MembershipView[]>
  /** A message that the user may see. @throws ParleyError NOT_FOUND */
  message(user: string, id: string): Promise<MessageEntry>
  /** `isCut` where the texts of a page have so many bytes that it ends before `limit`. */
  messages(member: Member, range: Range): Promise<{ messages: MessageEntry[]; isCut: boolean }>
  /** The newest message that the member may see up to `head`, the end of the log as they were told it. */
  lastMessage(member: Member, head: number): Promise<MessageEntry | undefined>
  /** Entries after a seq, within what the member may see, oldest first; fewer than `limit` where they have long texts. */
  log(member: Member, after: number, limit: number): Promise<Entry[]>
  /** Messages of others beyond the member's read watermark: a few look-ups, however many there are. */
  unread(member: Member, head: number): Promise<number>
  status(message: MessageEntry): Promise<MessageStatus>
}

export const windowOf = (member: Pick<Member, "since" | "until">): Window => ({
  from: member.since,
  to: member.until ?? Number.MAX_SAFE_INTEGER,
})

/** Reading, and the one place that says what a member may see. */
export function createReader(store: Store): Reader {
  const sees = (member: Member | undefined, seq: number) => {
    if (!member || member.until !== null) return false
    return seq >= member.since
  }

  /** What was read while the member was present: without what came after they were removed, if they were meanwhile. */
  async function stillVisible<E extends Entry>(member: Member, entries: E[]): Promise<E[]> {
    if (member.until !== null || entries.length === 0) return entries
    const now = await store.member(member.conversation, member.user)
    if (!now) return []
    const { from, to } = windowOf(now)
    return entries.filter(({ seq }) => seq >= from && seq <= to)
  }

  async function messages(member: Member, range: Range) {
    const { from, to } = windowOf(member)
    const visible = { ...range, from: Math.max(range.from, from), to: Math.min(range.to, to) }
    if (visible.from > visible.to) return { messages: [], isCut: false }
    const found = await store.messages(member.conversation, { ...visible, bytes: PAGE_BYTES })
    const page = withinBytes(found, PAGE_BYTES, range.order === "newest")
    return { messages: await stillVisible(member, page), isCut: page.length < found.length }
  }

  const lowestMarks = createBatch(
    async (conversations: readonly string[]) =>
      new Map(
        await Promise.all(
          conversations.map(async (id) => [id, await store.lowestMarks(id)] as const),
        ),
      ),
    (id) => id,
  )

  return {
    messages,

    async membership(user, conversation) {
      checkId(conversation, "conversation")
      const member = await store.member(conversation, user)
      if (!member || member.until !== null) throw notFound("conversation")
      return member
    },

    anyMembership: (user, conversation) => store.member(conversation, user),

    conversations: (user, after, limit) => store.conversations(user, after, limit),

    async message(user, id) {
      const [message] = await store.messagesById([checkId(id, "id")])
      const member = message && (await store.member(message.conversation, user))
      if (!message || !sees(member, message.seq)) throw notFound("message")
      return message
    },

    // Nearly always it is the newest entry, which an engine finds by its place.
    async lastMessage(member, head) {
      const { from, to } = windowOf(member)
      const newest = await store.entry(member.conversation, Math.min(head, to))
      if (newest?.tally.messages === 0) return undefined
      const isMessage = newest?.kind === "message" && newest.seq >= from
      if (isMessage) return (await stillVisible(member, [newest]))[0]
      return (await messages(member, { from, to: head, limit: 1, order: "newest" })).messages[0]
    },

    async log(member, after, limit) {
      const { from, to } = windowOf(member)
      const start = Math.max(after, from - 1)
      const entries = await store.entries(member.conversation, start, limit, PAGE_BYTES)
      return stillVisible(
        member,
        entries.filter(({ seq }) => seq <= to),
      )
    },

    async unread({ conversation, user, read }, head) {
      if (read >= head) return 0
      const [all, own] = await Promise.all([
        store.countMessages(conversation, read, head),
        store.countMessages(conversation, read, head, user),
      ])
      return all - own
    },

    async status({ conversation, by, seq }) {
      const { delivered, read } = (await lowestMarks(conversation))!
      const others = (marks: { user: string; seq: number }[]) =>
        marks.find(({ user }) => user !== by)?.seq ?? 0
      if (others(read) >= seq) return "READ"
      return others(delivered) >= seq ? "DELIVERED" : "SENT"
    },
  }
}
