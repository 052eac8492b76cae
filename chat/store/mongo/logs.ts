import { LruMap } from "@parley/platform/lru.ts"
import { isBrokenConnection, isDuplicate, type Mongo } from "@parley/platform/mongo.ts"
import { MongoBulkWriteError } from "mongodb"
import {
  type ConversationDocument,
  type EntryDocument,
  TOP,
  type Top,
  type TopDocument,
  topOf,
} from "./shapes.ts"

export interface Logs {
  /** The entry before `seq`; undefined where an entry of that seq cannot be appended now: a hole below it, or one there. */
  before(conversation: string, seq: number): Promise<Top | undefined>
  /** Inserts what follows each other, up to the first whose place, or whose id, is taken. Answers how many. */
  insert(documents: readonly EntryDocument[]): Promise<number>
  /** What the newest entry of a log says of it; undefined where it is empty. */
  newest(conversation: string): Promise<TopDocument | undefined>
  /** The newest entry of each log that is not empty, none of them older than this call. */
  tops(conversations: readonly string[]): Promise<Map<string, Top>>
  /** Remembers how far a log goes, as it was seen. */
  note(conversation: string, top: Top): void
  /** Writes into the conversations' documents how far the logs have come since the last time. */
  writeTops(): Promise<void>
}

/** Conversations whose end is remembered. An entry never goes away, so what is remembered stays true. */
const MAX_KNOWN = 50_000
/** Beyond it the documents of some stay further behind: that makes `tops` dearer, and nothing wrong. */
const MAX_UNWRITTEN = 20_000
/** One query asks for the ends of so many logs. */
const LOGS_PER_QUERY = 200

const EMPTY: Top = { seq: 0, at: 0, members: 0 }

/** The collection `entries`, and how far each log goes. */
export function createLogs(mongo: Mongo): Logs {
  const entries = mongo.collection<EntryDocument>("entries")
  const conversations = mongo.collection<ConversationDocument>("conversations")
  const known = new LruMap<string, Top>(MAX_KNOWN)
  const unwritten = new Map<string, Top>()

  function note(conversation: string, top: Top): void {
    const before = known.get(conversation)
    if (!before || before.seq < top.seq) known.set(conversation, top)
  }

  async function before(conversation: string, seq: number): Promise<Top | undefined> {
    const end = known.get(conversation) ?? EMPTY
    if (end.seq >= seq) return undefined
    if (end.seq === seq - 1) return end
    const found = await entries.findOne<TopDocument>(
      { conversation, seq: seq - 1 },
      { projection: TOP },
    )
    if (!found) return undefined
    note(conversation, topOf(found))
    return topOf(found)
  }

  async function insertOnce(documents: readonly EntryDocument[]): Promise<number> {
    try {
      if (documents.length === 1) await entries.insertOne(documents[0]!)
      else await entries.insertMany(documents)
      return documents.length
    } catch (error) {
      if (!isDuplicate(error)) throw error
      return error instanceof MongoBulkWriteError ? error.insertedCount : 0
    }
  }

  /** After the connection broke: what was taken may be taken by the very documents, from the first try, even now. */
  async function insertAgain(documents: readonly EntryDocument[]): Promise<number> {
    let stored = 0
    while (stored < documents.length) {
      stored += await insertOnce(documents.slice(stored))
      const next = documents[stored]
      if (!next) break
      const { conversation, seq } = next
      if (!Bun.deepEquals(await entries.findOne({ conversation, seq }), next)) break
      stored += 1
    }
    return stored
  }

  async function insert(documents: readonly EntryDocument[]): Promise<number> {
    const stored = await insertOnce(documents).catch((error) => {
      if (isBrokenConnection(error)) return insertAgain(documents)
      throw error
    })
    const last = documents[stored - 1]
    if (last) {
      note(last.conversation, topOf(last))
      const { size } = unwritten
      if (size < MAX_UNWRITTEN || unwritten.has(last.conversation)) {
        unwritten.set(last.conversation, topOf(last))
      }
    }
    return stored
  }

  /** An end of each log, which may be behind, though not by much: what this node remembers may be long ago. */
  async function recentTops(ids: readonly string[]): Promise<Map<string, Top>> {
    const tops = new Map(ids.map((id) => [id, known.get(id) ?? EMPTY]))
    if (ids.length === 0) return tops
    const found = conversations
      .find({ _id: { $in: [...ids] } })
      .project<Pick<ConversationDocument, "_id" | "top">>({ top: 1 })
    for (const { _id, top } of await found.toArray()) {
      if (top.seq > tops.get(_id)!.seq) tops.set(_id, top)
    }
    return tops
  }

  /** Moves the ends of some logs on to where they are now. */
  async function raiseTops(tops: Map<string, Top>, ids: readonly string[]): Promise<void> {
    const newer = entries
      .find({ $or: ids.map((id) => ({ conversation: id, seq: { $gt: tops.get(id)!.seq } })) })
      .project<TopDocument>(TOP)
    for await (const document of newer) {
      const { conversation, seq } = document
      if (seq > tops.get(conversation)!.seq) tops.set(conversation, topOf(document))
    }
  }

  return {
    before,
    insert,
    note,

    async newest(conversation) {
      const found = entries.find({ conversation }).sort({ seq: -1 }).limit(1)
      const [newest] = await found.project<TopDocument>(TOP).toArray()
      if (newest) note(conversation, topOf(newest))
      return newest
    },

    async tops(ids) {
      const tops = await recentTops(ids)
      const queries: Promise<void>[] = []
      for (let from = 0; from < ids.length; from += LOGS_PER_QUERY) {
        queries.push(raiseTops(tops, ids.slice(from, from + LOGS_PER_QUERY)))
      }
      await Promise.all(queries)
      for (const [id, top] of tops) {
        if (top === EMPTY) tops.delete(id)
        else note(id, top)
      }
      return tops
    },

    async writeTops() {
      const written = [...unwritten]
      if (written.length === 0) return
      unwritten.clear()
      await conversations.bulkWrite(
        written.map(([_id, top]) => ({
          updateOne: {
            filter: { _id },
            update: { $max: { "top.seq": top.seq, "top.at": top.at, "top.members": top.members } },
          },
        })),
        { ordered: false },
      )
    },
  }
}
