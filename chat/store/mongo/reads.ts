import { createBatch } from "@parley/platform/batch.ts"
import { LruMap } from "@parley/platform/lru.ts"
import type { Mongo } from "@parley/platform/mongo.ts"
import {
  type ConversationDocument,
  type EntryDocument,
  type MemberDocument,
  TOP,
  type TopDocument,
} from "./shapes.ts"

/**
 * Look-ups of single things. Those that are asked for in one moment go to the server as one query, so that a page of
 * thirty conversations costs it a handful of operations and not some hundreds. None answers with something older than
 * the moment in which it was asked.
 */
export interface Reads {
  member(conversation: string, user: string): Promise<MemberDocument | undefined>
  conversation(id: string): Promise<ConversationDocument | undefined>
  entry(conversation: string, seq: number): Promise<EntryDocument | undefined>
  /** How many messages there are with after < seq ≤ upTo. */
  countMessages(conversation: string, after: number, upTo: number): Promise<number>
  /** The same of one author. */
  countOfAuthor(conversation: string, after: number, upTo: number, by: string): Promise<number>
  /** All present members by user id; undefined where they are too many to be read together with others'. */
  few(conversation: string): Promise<readonly MemberDocument[] | undefined>
}

/** Look-ups that one query carries. */
const MAX_BATCH = 100
/** Where conversations have fewer members than this, on average, all of them are read. One with more is asked by itself from then on. */
const FEW = 20
/** Conversations of which is remembered that they have many members, and authors that they have written much. */
const MAX_KNOWN = 20_000
/** The same for messages of an author's own beyond their mark, which are counted one by one. */
const OWN = 50

interface Place {
  conversation: string
  seq: number
}

interface KeyRange {
  conversation: string
  by: string
  after: number
  upTo: number
}

export function createReads(mongo: Mongo): Reads {
  const entries = mongo.collection<EntryDocument>("entries")
  const conversations = mongo.collection<ConversationDocument>("conversations")
  const members = mongo.collection<MemberDocument>("members")
  const batch = <K, V>(
    load: (asked: readonly K[]) => Promise<ReadonlyMap<string, V>>,
    keyOf: (asked: K) => string,
  ) => createBatch(load, keyOf, MAX_BATCH)
  const withMany = new LruMap<string, true>(MAX_KNOWN)
  const withManyOwn = new LruMap<string, true>(MAX_KNOWN)

  const member = batch(
    async (asked: readonly Pick<MemberDocument, "conversation" | "user">[]) => {
      const found = await members.find({ $or: [...asked] }).toArray()
      return byKey(found, ({ conversation, user }) => key(conversation, user))
    },
    ({ conversation, user }) => key(conversation, user),
  )

  const conversation = batch(
    async (ids: readonly string[]) =>
      byKey(await conversations.find({ _id: { $in: [...ids] } }).toArray(), ({ _id }) => _id),
    (id) => id,
  )

  const entry = batch(
    async (places: readonly Place[]) => byPlace(await entries.find({ $or: [...places] }).toArray()),
    keyOfPlace,
  )

  const top = batch(async (places: readonly Place[]) => {
    const found = entries.find({ $or: [...places] }).project<TopDocument>(TOP)
    return byPlace(await found.toArray())
  }, keyOfPlace)

  /** How many messages there are up to a seq, which may be beyond the end. */
  async function messagesUpTo(conversation: string, seq: number): Promise<number> {
    if (seq <= 0) return 0
    const there = await top({ conversation, seq })
    return (
      there?.tally.messages ?? (await newestTally({ conversation, seq: { $lte: seq } })).messages
    )
  }

  async function newestTally(filter: { conversation: string; by?: string; seq: { $lte: number } }) {
    const found = entries.find(filter).sort({ seq: -1 }).limit(1)
    const [newest] = await found.project<TopDocument>(TOP).toArray()
    return newest?.tally ?? { messages: 0, ofAuthor: 0 }
  }

  /** How many of each range there are; nothing where they are too many to be counted one by one. */
  const own = batch(async (asked: readonly KeyRange[]) => {
    const most = OWN * asked.length
    const ranges = asked.map(({ conversation, by, after, upTo }) => {
      return { conversation, by, seq: { $gt: after, $lte: upTo }, kind: "message" as const }
    })
    const found = await entries
      .find({ $or: ranges })
      .project<Place & { by: string }>({ _id: 0, conversation: 1, by: 1, seq: 1 })
      .sort({ conversation: 1, by: 1, seq: 1 })
      .limit(most)
      .batchSize(most)
      .toArray()
    for (const [author, { length }] of Map.groupBy(found, keyOfAuthor)) {
      if (length >= OWN) withManyOwn.set(author, true)
    }
    const isWhole = before(found.length < most ? undefined : keyOfAuthor(found.at(-1)!))
    const counted = (range: KeyRange) => found.filter((place) => isWithin(place, range)).length
    const whole = asked.filter((range) => isWhole(keyOfAuthor(range)))
    return new Map(whole.map((range) => [keyOfRange(range), counted(range)]))
  }, keyOfRange)

  const few = batch(
    async (ids: readonly string[]) => {
      const most = FEW * ids.length
      const found = await members
        .find({ conversation: { $in: [...ids] }, until: null })
        .sort({ conversation: 1, user: 1 })
        .limit(most)
        .batchSize(most)
        .toArray()
      const groups = Map.groupBy(found, ({ conversation }) => conversation)
      for (const [id, { length }] of groups) if (length >= FEW) withMany.set(id, true)
      const isWhole = before(found.length < most ? undefined : found.at(-1)!.conversation)
      const whole = ids.filter(isWhole)
      return new Map(whole.map((id) => [id, groups.get(id) ?? []]))
    },
    (id) => id,
  )

  return {
    member: (conversation, user) => member({ conversation, user }),
    conversation,
    entry: (conversation, seq) => entry({ conversation, seq }),

    async countMessages(conversation, after, upTo) {
      const [last, first] = await Promise.all([
        messagesUpTo(conversation, upTo),
        messagesUpTo(conversation, after),
      ])
      return last - first
    },

    async countOfAuthor(conversation, after, upTo, by) {
      // From the beginning on, an author's newest entry says it.
      const isAsked = after > 0 && !withManyOwn.get(key(conversation, by))
      const counted = isAsked ? await own({ conversation, by, after, upTo }) : undefined
      if (counted !== undefined) return counted
      const upToHere = async (seq: number) =>
        seq <= 0 ? 0 : (await newestTally({ conversation, by, seq: { $lte: seq } })).ofAuthor
      const [last, first] = await Promise.all([upToHere(upTo), upToHere(after)])
      return last - first
    },

    few: async (id) => (withMany.get(id) ? undefined : few(id)),
  }
}

const byKey = <T>(documents: readonly T[], keyOf: (document: T) => string) =>
  new Map(documents.map((document) => [keyOf(document), document]))

const key = (...parts: (string | number)[]) => parts.join(" ")
const keyOfPlace = ({ conversation, seq }: Place) => key(conversation, seq)
const byPlace = <T extends Place>(documents: readonly T[]) => byKey(documents, keyOfPlace)

const keyOfAuthor = ({ conversation, by }: { conversation: string; by: string }) =>
  key(conversation, by)

/** What comes in order has been read to its end before the one at which a limit cut off. */
const before = (cutOff: string | undefined) => (one: string) => cutOff === undefined || one < cutOff

function keyOfRange({ conversation, by, after, upTo }: KeyRange): string {
  return key(conversation, by, after, upTo)
}

const isWithin = ({ conversation, by, seq }: Place & { by: string }, range: KeyRange) =>
  conversation === range.conversation && by === range.by && seq > range.after && seq <= range.upTo
