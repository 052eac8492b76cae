import { bothOrNone } from "@parley/platform/both-or-none.ts"
import { unavailable } from "@parley/platform/errors.ts"
import { every } from "@parley/platform/every.ts"
import type { Logger } from "@parley/platform/log.ts"
import { type Mongo, openMongo, twice } from "@parley/platform/mongo.ts"
import type { WithId } from "mongodb"
import { type ConversationState, emptyState } from "../../domain/conversation-state.ts"
import type { Entry, MessageEntry } from "../../domain/entry.ts"
import { MEMBERSHIPS_PER_READ } from "../../limits.ts"
import type { OutboxPosition } from "../nodes.ts"
import type { Created, KeyRange, ListPlace, MembershipView, Store } from "../store.ts"
import { createLogs } from "./logs.ts"
import { createMembers } from "./members.ts"
import { mongoNodes } from "./nodes.ts"
import { byNewest, isListedAfter, readEntries } from "./pages.ts"
import { mongoPeople } from "./people.ts"
import { createReads } from "./reads.ts"
import {
  type ConversationDocument,
  type EntryDocument,
  entryDocument,
  entryOf,
  INDEXES,
  type MemberDocument,
  memberOf,
  TOP,
  type TopDocument,
  topOf,
  VERSION,
} from "./shapes.ts"
import { mongoUsage } from "./usage.ts"

/** Between two looks for what others have left half done, and between two writes of how far logs have come; in ms. */
const TIDY_EVERY = 1_000
/** Connections that only the registry uses. */
const BEATS = 3
/** A state is read anew so often where members change all the while. */
const MAX_READS = 20

/**
 * The engine that nodes share: MongoDB.
 * @throws ConfigError where MongoDB refuses us or a newer Parley has used it, as far as that shows at once.
 */
export async function openMongoStore(url: string, log: Logger): Promise<Store> {
  const options = { url, name: "chat", version: VERSION, log }
  // Until the first of them has its indexes, nothing is stored that the registry could look for.
  const [mongo, registry] = await bothOrNone(
    openMongo({ ...options, indexes: INDEXES }),
    openMongo({ ...options, indexes: {}, connections: BEATS }),
  )
  return createMongoStore(mongo, log, registry)
}

/**
 * The store on a connection, which goes with it.
 * @param registry for the nodes' beats, where these are not to wait behind everything else: a node with much to do is
 * not dead.
 */
export function createMongoStore(mongo: Mongo, log: Logger, registry = mongo): Store {
  const entries = mongo.collection<EntryDocument>("entries")
  const conversations = mongo.collection<ConversationDocument>("conversations")
  const members = mongo.collection<MemberDocument>("members")
  const logs = createLogs(mongo)
  const changes = createMembers(mongo)
  const reads = createReads(mongo)

  const tidying = every(
    TIDY_EVERY,
    () => mongo.run(async () => void (await Promise.all([changes.repair(), logs.writeTops()]))),
    (error) => log.warn("the store cannot be tidied just now", { error }),
  )

  /**
   * A change of members is applied before anything follows it in the log: so no user whose document still calls them a
   * member can be past their end.
   */
  async function append(given: readonly Entry[], position?: OutboxPosition): Promise<number> {
    const { conversation, seq } = given[0]!
    const before = await logs.before(conversation, seq)
    if (!before) return 0
    await changes.ensure(conversation, before.members)

    const documents = given.map((entry, index) => entryDocument(entry, position, index))
    for (let stored = 0; stored < given.length; ) {
      const entry = given[stored]!
      const change = given.findIndex(({ kind }, index) => index >= stored && kind === "members")
      const end = change === stored ? stored + 1 : change < 0 ? given.length : change
      const insert = () => logs.insert(documents.slice(stored, end))
      stored += await (entry.kind === "members" ? changes.change(entry, insert) : insert())
      if (stored < end) return stored
    }
    return given.length
  }

  /** The members are those at the head: no change of them came between the reading of both. */
  async function state(id: string): Promise<ConversationState> {
    const state = emptyState(id)
    let head = await logs.newest(id)
    if (!head) return state
    for (let reads = 0; reads < MAX_READS; reads++) {
      await changes.ensure(id, head.tally.members)
      const present = await members.find({ conversation: id, until: null }).toArray()
      const newest = await logs.newest(id)
      if (newest!.tally.members !== head.tally.members) {
        head = newest!
        continue
      }
      const conversation = await conversations.findOne({ _id: id })
      state.origin = conversation!.origin
      state.createdAt = conversation!.createdAt
      state.head = newest!.seq
      state.at = newest!.at
      state.messages = newest!.tally.messages
      state.membersSeq = newest!.tally.members
      for (const { user, role, since, joinedAt } of present) {
        state.members.set(user, { role, since, joinedAt })
      }
      return state
    }
    throw unavailable("This conversation is too busy just now.")
  }

  async function memberships(user: string, range?: KeyRange): Promise<MembershipView[]> {
    const asked = range ? stretchOf({ user }, range) : members.find({ user })
    return viewsOf(user, await asked.batchSize(MEMBERSHIPS_PER_READ).toArray())
  }

  const stretchOf = (filter: { user: string; until?: null }, { after, limit }: KeyRange) =>
    members
      .find({ ...filter, conversation: { $gt: after } })
      .sort({ conversation: 1 })
      .limit(limit)

  /**
   * The order is that of all logs' ends, which no index has: an entry would move it for each member. What the user has
   * left, which may be much, is not looked at.
   */
  async function listed(
    user: string,
    after: ListPlace | undefined,
    limit: number,
  ): Promise<MembershipView[]> {
    const page: MembershipView[] = []
    for (let from = ""; ; ) {
      const range = { after: from, limit: MEMBERSHIPS_PER_READ }
      const some = await stretchOf({ user, until: null }, range)
        .batchSize(MEMBERSHIPS_PER_READ)
        .toArray()
      const views = await viewsOf(user, some)
      page.push(...views.filter((view) => view.until === null && isListedAfter(view, after)))
      page.sort(byNewest)
      page.length = Math.min(page.length, limit)
      if (some.length < MEMBERSHIPS_PER_READ) return page
      from = some.at(-1)!.conversation
    }
  }

  async function viewsOf(user: string, found: WithId<MemberDocument>[]): Promise<MembershipView[]> {
    // Of a membership that has ended, its document says enough: how its log goes on is not its user's to see.
    const asked = found.filter(({ until, changedAt }) => until === null || changedAt === undefined)
    const tops = await logs.tops(asked.map(({ conversation }) => conversation))
    // Where members have changed since, it may have been this one, and the head may be beyond their end by now.
    const doubtful = found.filter(
      ({ conversation, changed, until }) =>
        until === null && (tops.get(conversation)?.members ?? 0) > changed,
    )
    const ids = doubtful.map(({ conversation }) => conversation)
    // Of a change at the very end the log does not tell whether it has been applied; nothing follows one that has not.
    const ends = ids.filter((id) => tops.get(id)!.members === tops.get(id)!.seq)
    await Promise.all(ends.map((id) => changes.ensure(id, tops.get(id)!.seq)))
    const again =
      ids.length > 0 ? await members.find({ user, conversation: { $in: ids } }).toArray() : []
    const newest = new Map([...found, ...again].map((member) => [member.conversation, member]))
    return [...newest.values()].map((member) => {
      const top = tops.get(member.conversation)
      const head = Math.max(top?.seq ?? 0, member.changed)
      return { ...memberOf(member), head, headAt: top?.at ?? member.changedAt ?? member.joinedAt }
    })
  }

  /** @param all the present members, where they have been read already. */
  async function lowest(
    conversation: string,
    mark: "delivered" | "read",
    all: readonly MemberDocument[] | undefined,
  ) {
    const ask = () =>
      members
        .find({ conversation, until: null })
        .sort({ [mark]: 1 })
        .limit(2)
        .toArray()
    const behind = all?.toSorted((a, b) => a[mark] - b[mark]).slice(0, 2) ?? (await ask())
    return behind.map((member) => ({ user: member.user, seq: member[mark] }))
  }

  /** A conversation's document is the last thing that is written when it begins: a member may be there before. */
  async function origin(id: string): Promise<Created | undefined> {
    const document = await reads.conversation(id)
    const { origin, createdAt } = document ?? (await state(id))
    return origin && { origin, createdAt }
  }

  return {
    nodes: mongoNodes(registry),
    usage: mongoUsage(mongo),
    people: mongoPeople(mongo),

    append: (given, position) =>
      mongo.run(() => (given.length === 0 ? Promise.resolve(0) : append(given, position))),

    state: (id) => mongo.run(() => state(id)),
    origin: (id) => mongo.run(() => origin(id)),

    entry: (conversation, seq) =>
      mongo.run(async () => {
        const found = await reads.entry(conversation, seq)
        return found && entryOf(found)
      }),

    entries: (conversation, after, limit, bytes) =>
      mongo.run(async () => {
        if (limit <= 0) return []
        const found = entries.find({ conversation, seq: { $gt: after } }).sort({ seq: 1 })
        const page = await readEntries(found.limit(limit), limit, bytes)
        const last = page.at(-1)
        if (last) logs.note(conversation, topOf(last))
        // A reader that goes by a change of members finds the members as it left them.
        const change = page.findLast(({ kind }) => kind === "members")
        if (change) await changes.ensure(conversation, change.seq)
        return page
      }),

    seqAt: (conversation, at, floor, upTo) =>
      mongo.run(async () => {
        const found = entries
          .find({ conversation, seq: { $gt: floor, $lte: upTo }, at: { $lte: at } })
          .sort({ seq: -1 })
          .limit(1)
          .project<TopDocument>(TOP)
        const [newest] = await found.toArray()
        return newest?.seq ?? floor
      }),

    messages: (conversation, { from, to, limit, order, bytes }) =>
      mongo.run(async () => {
        if (limit <= 0) return []
        const found = entries
          .find({ conversation, seq: { $gte: from, $lte: to }, kind: "message" })
          .sort({ seq: order === "oldest" ? 1 : -1 })
        const page = await readEntries(found.limit(limit), limit, bytes)
        return (order === "oldest" ? page : page.reverse()) as MessageEntry[]
      }),

    messagesById: (ids) =>
      mongo.run(async () => {
        if (ids.length === 0) return []
        const found = entries.find({ _id: { $in: [...ids] }, kind: "message" })
        return (await found.toArray()).map(entryOf) as MessageEntry[]
      }),

    countMessages: (conversation, after, upTo, by) =>
      mongo.run(() =>
        by === undefined
          ? reads.countMessages(conversation, after, upTo)
          : reads.countOfAuthor(conversation, after, upTo, by),
      ),

    authors: (conversation, after, upTo) =>
      mongo.run(() =>
        entries.distinct("by", {
          conversation,
          seq: { $gt: after, $lte: upTo },
          kind: "message",
        }),
      ),

    member: (conversation, user) =>
      mongo.run(async () => {
        const found = await reads.member(conversation, user)
        return found && memberOf(found)
      }),

    members: (conversation, after, limit) =>
      mongo.run(async () => {
        if (limit <= 0) return []
        const few = await reads.few(conversation)
        if (few) {
          const following = few.filter(({ user }) => user > after)
          return following.slice(0, limit).map(memberOf)
        }
        const found = members.find({ conversation, user: { $gt: after }, until: null })
        return (await found.sort({ user: 1 }).limit(limit).toArray()).map(memberOf)
      }),

    countMembers: (conversation) =>
      mongo.run(async () => {
        const few = await reads.few(conversation)
        return few ? few.length : members.countDocuments({ conversation, until: null })
      }),

    memberships: (user, range) => mongo.run(() => memberships(user, range)),
    conversations: (user, after, limit) => mongo.run(() => listed(user, after, limit)),

    moveMarks: (conversation, user, { delivered = 0, read = 0 }) =>
      mongo.run(() =>
        twice(async (again) => {
          const found = await members.findOneAndUpdate(
            { conversation, user },
            { $max: { delivered, read } },
            { returnDocument: "before" },
          )
          if (!found) return undefined
          const before = memberOf(found)
          // The first try may have moved it, and no subscription was told.
          if (again && before.delivered === delivered) before.delivered = 0
          if (again && before.read === read) before.read = 0
          const now = {
            ...before,
            delivered: Math.max(before.delivered, delivered),
            read: Math.max(before.read, read),
          }
          return { before, now }
        }),
      ),

    lowestMarks: (conversation) =>
      mongo.run(async () => {
        const few = await reads.few(conversation)
        const [delivered, read] = await Promise.all([
          lowest(conversation, "delivered", few),
          lowest(conversation, "read", few),
        ])
        return { delivered, read }
      }),

    ping: mongo.ping,
    settle: mongo.settle,

    async [Symbol.asyncDispose]() {
      void tidying.stop()
      await Promise.all([mongo[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()])
    },
  }
}
