import { LruMap } from "@parley/platform/lru.ts"
import { isDuplicate, type Mongo, twice } from "@parley/platform/mongo.ts"
import { MongoBulkWriteError, type WithId } from "mongodb"
import type { MembersEntry } from "../../domain/entry.ts"
import { MAX_APPLIED_KNOWN, MAX_INTENTS } from "../../limits.ts"
import {
  type ConversationDocument,
  changesOf,
  type EntryDocument,
  type IntentDocument,
  type MemberDocument,
  TOP,
  type TopDocument,
} from "./shapes.ts"

export interface Members {
  /** Brings the members up to date with the change at `seq` and every one before it, unless they are. */
  ensure(conversation: string, seq: number): Promise<void>
  /** Stores a change of members by `insert`, and brings the members up to date with it; another node finishes for one that is killed midway. */
  change(entry: MembersEntry, insert: () => Promise<number>): Promise<number>
  /** Finishes what was begun a while ago, by whomever. */
  repair(): Promise<void>
}

/** An intent seen for longer than this is that of a node which cannot finish, in ms. */
const OVERDUE = 2_000
/** An entry that was not there for so long will not come any more; in ms. A frozen node may come back within it. */
const HOPELESS = 10 * 60_000

/**
 * The collection `members`, which follows the logs. A change of members is its entry in the log; what follows from it
 * for each user is applied afterwards, one document at a time, by the node that stored it. In any order, by any number of
 * nodes at once, the outcome is the same: a document says by which entry it was changed, and never goes back.
 */
export function createMembers(mongo: Mongo): Members {
  const entries = mongo.collection<EntryDocument>("entries")
  const conversations = mongo.collection<ConversationDocument>("conversations")
  const members = mongo.collection<MemberDocument>("members")
  const intents = mongo.collection<IntentDocument>("intents")
  const known = new LruMap<string, number>(MAX_APPLIED_KNOWN)
  /** When each intent was first seen, by this process's own clock. */
  let seen = new Map<string, number>()

  function note(conversation: string, applied: number): void {
    if ((known.get(conversation) ?? 0) < applied) known.set(conversation, applied)
  }

  /** What comes before it has been applied. */
  async function apply(entry: MembersEntry): Promise<void> {
    const { conversation, seq, at, created, joined } = entry
    const updates = [...changesOf(entry)].map(([user, fields]) => ({
      updateOne: {
        filter: { conversation, user, changed: { $lt: seq } },
        update: { $set: fields },
        upsert: joined.includes(user),
      },
    }))
    if (updates.length > 0) {
      await members.bulkWrite(updates, { ordered: false }).catch((error) => {
        // A document that it would insert is there: as this entry has it, or a later one.
        if (!isDuplicate(error) || !areDuplicates(error)) throw error
      })
    }
    await conversations.updateOne(
      { _id: conversation },
      {
        $max: { applied: seq, "top.seq": seq, "top.at": at, "top.members": seq },
        ...(created && { $setOnInsert: { origin: created, createdAt: at } }),
      },
      { upsert: created !== undefined },
    )
    note(conversation, seq)
  }

  async function ensure(conversation: string, seq: number): Promise<void> {
    if (seq <= (known.get(conversation) ?? 0)) return
    const found = await conversations.findOne({ _id: conversation }, { projection: { applied: 1 } })
    const applied = found?.applied ?? 0
    note(conversation, applied)
    for (const entry of await changesBetween(conversation, applied, seq)) await apply(entry)
  }

  /** Each entry says which change of members was the newest: so the way back to the last one applied is short. */
  async function changesBetween(
    conversation: string,
    after: number,
    upTo: number,
  ): Promise<MembersEntry[]> {
    const changes: MembersEntry[] = []
    for (let seq = upTo; seq > after; ) {
      const entry = (await entries.findOne({ conversation, seq })) as MembersEntry | null
      if (!entry) throw new Error(`${conversation}: entry ${seq} is missing`)
      changes.unshift(entry)
      const before = await entries.findOne<TopDocument>(
        { conversation, seq: seq - 1 },
        { projection: TOP },
      )
      seq = before?.tally.members ?? 0
    }
    return changes
  }

  /** @param age for how long it has been seen, in ms. */
  async function finish(intent: WithId<IntentDocument>, age: number): Promise<void> {
    const { conversation, seq } = intent
    const there = await entries.findOne<TopDocument>({ conversation, seq }, { projection: TOP })
    if (!there && age < HOPELESS) return
    if (there) await ensure(conversation, there.tally.members)
    await intents.deleteOne({ _id: intent._id })
  }

  return {
    ensure,

    async change(entry, insert) {
      const { conversation, seq } = entry
      const { insertedId } = await twice(() => intents.insertOne({ conversation, seq }))
      const stored = await insert()
      if (stored > 0) await twice(() => apply(entry))
      // No caller waits for it; where it comes to nothing, the next repair does it.
      mongo.run(() => intents.deleteOne({ _id: insertedId })).catch(() => {})
      return stored
    },

    async repair() {
      const now = performance.now()
      const open = await intents.find({}).limit(MAX_INTENTS).toArray()
      seen = new Map(open.map(({ _id }) => [String(_id), seen.get(String(_id)) ?? now]))
      const finished = await Promise.allSettled(
        open.map(async (intent) => {
          const age = now - seen.get(String(intent._id))!
          if (age >= OVERDUE) await finish(intent, age)
        }),
      )
      const failed = finished.find(({ status }) => status === "rejected")
      if (failed?.status === "rejected") throw failed.reason
    },
  }
}

const areDuplicates = (error: unknown) =>
  error instanceof MongoBulkWriteError &&
  [error.writeErrors].flat().every(({ code }) => code === 11000)
