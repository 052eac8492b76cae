import { MongoClient } from "mongodb"
import { type StoreLine, textMark } from "../history/format.ts"
import type { Names } from "./system.ts"

interface EntryDocument {
  _id: string
  conversation: string
  seq: number
  by: string
  kind: string
  text: string
  joined: string[]
  left: string[]
}

interface MemberDocument {
  conversation: string
  user: string
  delivered: number
  read: number
}

/** The server of tests holds a whole answer in its memory, of which it has little. */
const PAGE = 2_000

/** Every entry and every member of the database, read by its documents alone. */
export async function readMongo(url: string, database: string, names: Names): Promise<StoreLine[]> {
  await using client = await new MongoClient(url).connect()
  const db = client.db(database)
  const entries: EntryDocument[] = []
  const conversations = await db.collection<{ _id: string }>("conversations").find({}).toArray()
  for (const { _id: conversation } of conversations) {
    for (let seq = 0; ; seq = entries.at(-1)!.seq) {
      const found = db
        .collection<EntryDocument>("entries")
        .find({ conversation, seq: { $gt: seq } })
      const page = await found.sort({ seq: 1 }).limit(PAGE).toArray()
      entries.push(...page)
      if (page.length < PAGE) break
    }
  }
  const all = await db.collection("entries").countDocuments({})
  if (all !== entries.length)
    throw new Error(`${all} entries are stored, and ${entries.length} are found by conversation.`)
  const members = await db.collection<MemberDocument>("members").find({}).toArray()
  return [
    ...entries.map(({ _id: id, conversation, seq, by, kind, text, joined, left }): StoreLine => {
      const place = { k: "stored", conversation, seq, by: names(by) } as const
      if (kind === "message") return { ...place, message: { id, text: textMark(text) } }
      return { ...place, members: { joined: joined.map(names), left: left.map(names) } }
    }),
    ...members.map(
      ({ conversation, user, delivered, read }): StoreLine => ({
        ...{ k: "member", conversation, who: names(user), delivered, read },
      }),
    ),
  ]
}
