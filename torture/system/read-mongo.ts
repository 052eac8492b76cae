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

/** Every entry and every member of the database, read by its documents alone. */
export async function readMongo(url: string, database: string, names: Names): Promise<StoreLine[]> {
  await using client = await new MongoClient(url).connect()
  const db = client.db(database)
  const entries = await db.collection<EntryDocument>("entries").find({}).toArray()
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
