import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { openSqliteStore } from "./sqlite.ts"

/**
 * How SQLite finds what each statement asks for. A SEARCH goes straight to its rows by a key; a SCAN, or a sort in a
 * temporary tree, grows with what is stored, and stands here only where it passes over no more than a page or a
 * member's own conversations, or over what a receipt moves past. Inserts of values have no plan.
 */
const PLANS: Record<string, string[]> = {
  "INSERT OR IGNORE INTO entries VALUES ($conversation, $seq, $at, $author, $kind, $id, $body, $messages, $ofAuthor, $members)":
    [],
  "SELECT head FROM conversations WHERE id = ?": ["SEARCH conversations USING PRIMARY KEY (id=?)"],
  "UPDATE conversations SET head = ?, head_at = ? WHERE id = ?": [
    "SEARCH conversations USING PRIMARY KEY (id=?)",
  ],
  "INSERT INTO conversations VALUES (?, ?, ?, ?, 0, 0)": [],
  "INSERT INTO members VALUES ($conversation, $user, 'MEMBER', $seq, $at, NULL, $seq, $seq) ON CONFLICT DO UPDATE SET role = 'MEMBER', since = $seq, joined_at = $at, until = NULL, delivered = $seq, read = $seq":
    [],
  "UPDATE members SET until = ? WHERE conversation = ? AND user = ?": [
    "SEARCH members USING PRIMARY KEY (conversation=? AND user=?)",
  ],
  "UPDATE members SET role = ? WHERE conversation = ? AND user = ?": [
    "SEARCH members USING PRIMARY KEY (conversation=? AND user=?)",
  ],
  "SELECT * FROM conversations WHERE id = ?": ["SEARCH conversations USING PRIMARY KEY (id=?)"],
  "SELECT * FROM entries WHERE conversation = ? AND seq = ?": [
    "SEARCH entries USING PRIMARY KEY (conversation=? AND seq=?)",
  ],
  "SELECT * FROM members WHERE conversation = ? AND until IS NULL": [
    "SEARCH members USING PRIMARY KEY (conversation=?)",
  ],
  "SELECT * FROM entries WHERE conversation = +? AND seq > ? ORDER BY seq LIMIT ? + 0": [
    "SEARCH entries USING PRIMARY KEY (conversation=? AND seq>?)",
  ],
  "SELECT * FROM entries WHERE conversation = +? AND seq BETWEEN ? AND ? AND kind = 'message' ORDER BY seq ASC LIMIT ? + 0":
    ["SEARCH entries USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)"],
  "SELECT * FROM entries WHERE conversation = +? AND seq BETWEEN ? AND ? AND kind = 'message' ORDER BY seq DESC LIMIT ? + 0":
    ["SEARCH entries USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)"],
  "SELECT * FROM entries WHERE id = ?": ["SEARCH entries USING INDEX entries_by_id (id=?)"],
  "SELECT of_author FROM entries INDEXED BY entries_by_author WHERE conversation = +? AND author = +? AND seq <= ? AND kind = 'message' ORDER BY seq DESC LIMIT 1":
    ["SEARCH entries USING INDEX entries_by_author (conversation=? AND author=? AND seq<?)"],
  "SELECT messages FROM entries WHERE conversation = +? AND seq <= ? ORDER BY seq DESC LIMIT 1": [
    "SEARCH entries USING PRIMARY KEY (conversation=? AND seq<?)",
  ],
  "SELECT DISTINCT author FROM entries WHERE conversation = +? AND seq > ? AND seq <= ? AND kind = 'message'":
    [
      "SEARCH entries USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)",
      "USE TEMP B-TREE FOR DISTINCT",
    ],
  "SELECT * FROM members WHERE conversation = ? AND user = ?": [
    "SEARCH members USING PRIMARY KEY (conversation=? AND user=?)",
  ],
  "SELECT * FROM members WHERE conversation = +? AND user > ? AND until IS NULL ORDER BY user LIMIT ? + 0":
    ["SEARCH members USING PRIMARY KEY (conversation=? AND user>?)"],
  "SELECT count(*) AS n FROM members WHERE conversation = ? AND until IS NULL": [
    "SEARCH members USING PRIMARY KEY (conversation=?)",
  ],
  "SELECT members.*, head, head_at FROM members JOIN conversations ON id = conversation WHERE user = +? AND conversation > ? ORDER BY conversation LIMIT ? + 0":
    [
      "SEARCH members USING INDEX members_by_user (user=? AND conversation>?)",
      "SEARCH conversations USING PRIMARY KEY (id=?)",
    ],
  "SELECT members.*, head, head_at FROM ( SELECT user, id, head, head_at FROM members CROSS JOIN conversations ON id = conversation WHERE user = +? AND until IS NULL AND head_at <= ? AND (head_at < ? OR id < ?) ORDER BY head_at DESC, id DESC LIMIT ? + 0 ) AS page CROSS JOIN members ON members.conversation = page.id AND members.user = page.user ORDER BY head_at DESC, page.id DESC":
    [
      "CO-ROUTINE page",
      "SEARCH members USING INDEX members_present_by_user (user=?)",
      "SEARCH conversations USING PRIMARY KEY (id=?)",
      "USE TEMP B-TREE FOR ORDER BY",
      "SCAN page",
      "SEARCH members USING PRIMARY KEY (conversation=? AND user=?)",
    ],
  "SELECT seq FROM entries WHERE conversation = +? AND seq > ? AND seq <= ? AND at <= ? ORDER BY seq DESC LIMIT 1":
    ["SEARCH entries USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)"],
  "UPDATE members SET delivered = ?, read = ? WHERE conversation = ? AND user = ?": [
    "SEARCH members USING PRIMARY KEY (conversation=? AND user=?)",
  ],
  "SELECT user, delivered AS seq FROM members WHERE conversation = +? AND until IS NULL ORDER BY delivered LIMIT 2":
    ["SEARCH members USING INDEX members_by_delivered (conversation=?)"],
  "SELECT user, read AS seq FROM members WHERE conversation = +? AND until IS NULL ORDER BY read LIMIT 2":
    ["SEARCH members USING INDEX members_by_read (conversation=?)"],
  "SELECT 1": ["SCAN CONSTANT ROW"],
  "SELECT groups, adds, strangers, bytes FROM usage WHERE day = ? AND user = ?": [
    "SEARCH usage USING PRIMARY KEY (day=? AND user=?)",
  ],
  "INSERT INTO usage VALUES ($day, $user, $groups, $adds, $strangers, $bytes) ON CONFLICT DO UPDATE SET groups = groups + $groups, adds = adds + $adds, strangers = strangers + $strangers, bytes = bytes + $bytes RETURNING groups, adds, strangers, bytes":
    [],
  "DELETE FROM usage WHERE day > ? AND day < ?": [
    "SEARCH usage USING PRIMARY KEY (day>? AND day<?)",
  ],
  "SELECT may_add FROM settings WHERE user = ?": ["SEARCH settings USING PRIMARY KEY (user=?)"],
  "INSERT OR REPLACE INTO settings VALUES (?, ?)": [],
  "SELECT conversation FROM members WHERE user = +? AND until IS NULL": [
    "SEARCH members USING INDEX members_present_by_user (user=?)",
  ],
  "SELECT count(*) AS n FROM (SELECT 1 FROM members WHERE user = +? AND until IS NULL LIMIT ? + 0)":
    [
      "CO-ROUTINE (subquery-1)",
      "SEARCH members USING INDEX members_present_by_user (user=?)",
      "SCAN (subquery-1)",
    ],
}

test("every statement finds its rows by the index that is meant for it", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "chat.sqlite")
  const statements = await preparedBy(path)
  using db = new Database(path)
  const plans = statements.map((sql) => {
    const steps = db.prepare<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all()
    return [sql.replace(/\s+/g, " ").trim(), steps.map(({ detail }) => detail)]
  })
  expect(Object.fromEntries(plans)).toEqual(PLANS)
})

/** What the store prepares: all of it when it is opened. */
async function preparedBy(path: string): Promise<string[]> {
  const query = spyOn(Database.prototype, "query")
  const prepare = spyOn(Database.prototype, "prepare")
  try {
    await openSqliteStore(path)[Symbol.asyncDispose]()
    const calls = [...query.mock.calls, ...prepare.mock.calls]
    return [...new Set(calls.map(([sql]) => sql))].filter((sql) => !sql.startsWith("PRAGMA"))
  } finally {
    query.mockRestore()
    prepare.mockRestore()
  }
}
