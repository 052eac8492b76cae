import type { Database } from "bun:sqlite"
import type { Adders } from "../../domain/settings.ts"
import { COUNTED_AT_A_TIME } from "../../limits.ts"
import type { People } from "../people.ts"
import type { GroupCommit } from "./group-commit.ts"
import { sqliteReading as reading } from "./reading.ts"

export const PEOPLE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS settings (user TEXT PRIMARY KEY, may_add TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS members_present_by_user ON members (user) WHERE until IS NULL;
`

export function sqlitePeople(db: Database, write: GroupCommit["write"]): People {
  const settingsOf = db.query<{ may_add: Adders }, [string]>(
    "SELECT may_add FROM settings WHERE user = ?",
  )
  const put = db.query<null, [string, string]>("INSERT OR REPLACE INTO settings VALUES (?, ?)")
  // Each reads the index of present memberships alone.
  const present = db.query<{ conversation: string }, [string]>(
    "SELECT conversation FROM members WHERE user = +? AND until IS NULL",
  )
  const count = db.query<{ n: number }, [string, number]>(
    `SELECT count(*) AS n FROM
     (SELECT 1 FROM members WHERE user = +? AND until IS NULL LIMIT ? + 0)`,
  )

  const countOf = reading((user: string, limit: number) => count.get(user, limit)!.n)

  const conversationsOf = reading((user: string) =>
    present.all(user).map(({ conversation }) => conversation),
  )

  /** Whether the user is in one of these conversations, and how many memberships have been read to know it. */
  const meetingOf = reading((user: string, conversations: ReadonlySet<string>) => {
    let read = 0
    for (const { conversation } of present.iterate(user)) {
      read += 1
      if (conversations.has(conversation)) return { is: true, read }
    }
    return { is: false, read }
  })

  return {
    settings: reading((users) => {
      const chosen = users.map((user) => [user, settingsOf.get(user)] as const)
      return new Map(
        chosen.flatMap(([user, row]) => (row ? [[user, { mayAdd: row.may_add }]] : [])),
      )
    }),

    putSettings: (user, { mayAdd }) => write(() => void put.run(user, mayAdd)),

    async countConversations(users, limit) {
      const counts = new Map<string, number>()
      let read = 0
      for (const user of users) {
        const n = await countOf(user, limit)
        counts.set(user, n)
        read += n
        if (read < COUNTED_AT_A_TIME) continue
        // A thousand people with thousands of conversations each would keep everyone else waiting for seconds.
        read = 0
        await new Promise(setImmediate)
      }
      return counts
    },

    async contacts(user, others) {
      const own = new Set(await conversationsOf(user))
      const found = new Set<string>()
      let read = 0
      for (const other of others) {
        const meeting = await meetingOf(other, own)
        if (meeting.is) found.add(other)
        read += meeting.read
        if (read < COUNTED_AT_A_TIME) continue
        read = 0
        await new Promise(setImmediate)
      }
      return found
    },
  }
}
