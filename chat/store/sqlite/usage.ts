import type { Database } from "bun:sqlite"
import { EVER, NO_USAGE, passing, type Usage } from "../../domain/usage.ts"
import type { UsageStore } from "../usage.ts"
import type { GroupCommit } from "./group-commit.ts"
import { sqliteReading as reading } from "./reading.ts"

/** The tables of usage and settings came later than the others: a file gets them when it is opened. */
export const USAGE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS usage (
    day INTEGER NOT NULL, user TEXT NOT NULL,
    groups INTEGER NOT NULL, adds INTEGER NOT NULL, strangers INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (day, user)
  ) WITHOUT ROWID;
`

export function sqliteUsage(db: Database, write: GroupCommit["write"]): UsageStore {
  const row = db.query<Usage, [number, string]>(
    "SELECT groups, adds, strangers, bytes FROM usage WHERE day = ? AND user = ?",
  )
  const increase = db.query<Usage, [Record<string, string | number>]>(`
    INSERT INTO usage VALUES ($day, $user, $groups, $adds, $strangers, $bytes)
    ON CONFLICT DO UPDATE SET groups = groups + $groups, adds = adds + $adds,
      strangers = strangers + $strangers, bytes = bytes + $bytes
    RETURNING groups, adds, strangers, bytes`)
  const forget = db.query<null, [number, number]>("DELETE FROM usage WHERE day > ? AND day < ?")

  const addNow = (user: string, day: number, amounts: Partial<Usage>) =>
    increase.get({ day, user, ...NO_USAGE, ...amounts })!

  return {
    of: reading((user, day) => row.get(day, user) ?? { ...NO_USAGE }),
    add: (user, day, amounts) => write(() => addNow(user, day, amounts)),
    reserve: (user, day, amounts, bounds) =>
      write(() => {
        const passed = passing(row.get(day, user) ?? NO_USAGE, amounts, bounds)
        if (passed === undefined) addNow(user, day, amounts)
        return passed
      }),
    forget: (before) => write(() => void forget.run(EVER, before)),
  }
}
