import { emptyState } from "../../domain/conversation-state.ts"
import type { Entry, MembersEntry, MessageEntry } from "../../domain/entry.ts"
import { mostBytes, textBytes } from "../../domain/entry-bytes.ts"
import { ROWS_PER_READ } from "../../limits.ts"
import type { MembershipView, Store } from "../store.ts"
import { createGroupCommit } from "./group-commit.ts"
import { sqlitePeople } from "./people.ts"
import { sqliteReading as reading } from "./reading.ts"
import { type EntryRow, type MemberRow, toEntry, toMember, toRow } from "./rows.ts"
import { openDatabase } from "./schema.ts"
import { sqliteUsage } from "./usage.ts"

/**
 * The embedded engine: one SQLite file, every acknowledged write fsynced, writes of one moment committed as a group.
 * @throws ConfigError where the file cannot be used.
 */
export function openSqliteStore(path: string): Store {
  const db = openDatabase(path)
  const { write, flush } = createGroupCommit(db)

  const insertEntry = db.query(
    "INSERT OR IGNORE INTO entries VALUES ($conversation, $seq, $at, $author, $kind, $id, $body, $messages, $ofAuthor, $members)",
  )
  const headOf = db.query<{ head: number }, [string]>("SELECT head FROM conversations WHERE id = ?")
  const moveHead = db.query("UPDATE conversations SET head = ?, head_at = ? WHERE id = ?")
  const create = db.query("INSERT INTO conversations VALUES (?, ?, ?, ?, 0, 0)")
  // A user who joins again starts anew: what was before their return is not theirs to see.
  const join = db.query(`
    INSERT INTO members VALUES ($conversation, $user, 'MEMBER', $seq, $at, NULL, $seq, $seq)
    ON CONFLICT DO UPDATE SET role = 'MEMBER', since = $seq, joined_at = $at, until = NULL,
      delivered = $seq, read = $seq`)
  const leave = db.query("UPDATE members SET until = ? WHERE conversation = ? AND user = ?")
  const setRole = db.query("UPDATE members SET role = ? WHERE conversation = ? AND user = ?")

  function applyMembers(entry: MembersEntry): void {
    const { conversation, seq, at, created } = entry
    if (created) create.run(conversation, created.kind, created.title, at)
    for (const user of entry.joined) join.run({ conversation, user, seq, at })
    for (const user of entry.left) leave.run(seq, conversation, user)
    for (const user of entry.promoted) setRole.run("ADMIN", conversation, user)
    for (const user of entry.demoted) setRole.run("MEMBER", conversation, user)
  }

  /** Runs inside a transaction. Stops before the first entry whose place, or whose id, is taken. */
  function appendNow(entries: readonly Entry[]): number {
    const conversation = entries[0]!.conversation
    const head = headOf.get(conversation)?.head ?? 0
    if (entries[0]!.seq !== head + 1) return 0
    let stored = 0
    for (const entry of entries) {
      if (insertEntry.run(toRow(entry)).changes === 0) break
      if (entry.kind === "members") applyMembers(entry)
      stored += 1
    }
    const last = entries[stored - 1]
    if (last) moveHead.run(last.seq, last.at, conversation)
    return stored
  }

  const conversationRow = db.query<
    { kind: "DIRECT" | "GROUP"; title: string | null; created_at: number; head: number },
    [string]
  >("SELECT * FROM conversations WHERE id = ?")
  const entryAt = db.query<EntryRow, [string, number]>(
    "SELECT * FROM entries WHERE conversation = ? AND seq = ?",
  )
  const present = db.query<MemberRow, [string]>(
    "SELECT * FROM members WHERE conversation = ? AND until IS NULL",
  )
  // `= +?` and `LIMIT ? + 0` look odd and mean the same as without: where a bare parameter equals a column in a query
  // with ORDER BY, DISTINCT or a join, or is the LIMIT, SQLite prepares the statement anew each time it is bound.
  const entriesAfter = db.query<EntryRow, [string, number, number]>(
    "SELECT * FROM entries WHERE conversation = +? AND seq > ? ORDER BY seq LIMIT ? + 0",
  )
  const messageRange = (order: "ASC" | "DESC") =>
    db.query<EntryRow, [string, number, number, number]>(
      `SELECT * FROM entries WHERE conversation = +? AND seq BETWEEN ? AND ? AND kind = 'message'
       ORDER BY seq ${order} LIMIT ? + 0`,
    )
  const oldestMessages = messageRange("ASC")
  const newestMessages = messageRange("DESC")
  const byId = db.query<EntryRow, [string]>("SELECT * FROM entries WHERE id = ?")
  // Left to itself SQLite walks the log back to this author's newest message: all of it where they never wrote.
  const newestBy = db.query<{ of_author: number }, [string, string, number]>(
    `SELECT of_author FROM entries INDEXED BY entries_by_author
     WHERE conversation = +? AND author = +? AND seq <= ? AND kind = 'message'
     ORDER BY seq DESC LIMIT 1`,
  )
  const newestUpTo = db.query<{ messages: number }, [string, number]>(
    "SELECT messages FROM entries WHERE conversation = +? AND seq <= ? ORDER BY seq DESC LIMIT 1",
  )
  const authorsIn = db.query<{ author: string }, [string, number, number]>(
    `SELECT DISTINCT author FROM entries WHERE conversation = +? AND seq > ? AND seq <= ? AND kind = 'message'`,
  )
  const memberRow = db.query<MemberRow, [string, string]>(
    "SELECT * FROM members WHERE conversation = ? AND user = ?",
  )
  const memberPage = db.query<MemberRow, [string, string, number]>(
    "SELECT * FROM members WHERE conversation = +? AND user > ? AND until IS NULL ORDER BY user LIMIT ? + 0",
  )
  const memberCount = db.query<{ n: number }, [string]>(
    "SELECT count(*) AS n FROM members WHERE conversation = ? AND until IS NULL",
  )
  const ofUser = db.query<ViewRow, [string, string, number]>(
    `SELECT members.*, head, head_at FROM members JOIN conversations ON id = conversation
     WHERE user = +? AND conversation > ? ORDER BY conversation LIMIT ? + 0`,
  )
  // Every present conversation is looked at for its time; the rest is read of those on the page alone.
  const listed = db.query<ViewRow, [string, number, number, string, number]>(
    `SELECT members.*, head, head_at FROM (
       SELECT user, id, head, head_at FROM members CROSS JOIN conversations ON id = conversation
       WHERE user = +? AND until IS NULL AND head_at <= ? AND (head_at < ? OR id < ?)
       ORDER BY head_at DESC, id DESC LIMIT ? + 0
     ) AS page CROSS JOIN members ON members.conversation = page.id AND members.user = page.user
     ORDER BY head_at DESC, page.id DESC`,
  )
  const newestAt = db.query<{ seq: number }, [string, number, number, number]>(
    `SELECT seq FROM entries WHERE conversation = +? AND seq > ? AND seq <= ? AND at <= ?
     ORDER BY seq DESC LIMIT 1`,
  )
  const setMarks = db.query(
    "UPDATE members SET delivered = ?, read = ? WHERE conversation = ? AND user = ?",
  )
  const lowest = (mark: "delivered" | "read") =>
    db.query<{ user: string; seq: number }, [string]>(
      `SELECT user, ${mark} AS seq FROM members WHERE conversation = +? AND until IS NULL
       ORDER BY ${mark} LIMIT 2`,
    )
  const lowestDelivered = lowest("delivered")
  const lowestRead = lowest("read")
  const one = db.query("SELECT 1")

  return {
    usage: sqliteUsage(db, write),
    people: sqlitePeople(db, write),

    append: (entries) =>
      entries.length === 0 ? Promise.resolve(0) : write(() => appendNow(entries)),

    state: reading((id) => {
      const state = emptyState(id)
      const row = conversationRow.get(id)
      if (!row) return state
      const head = toEntry(entryAt.get(id, row.head)!)
      state.origin = { kind: row.kind, title: row.title }
      state.createdAt = row.created_at
      state.head = head.seq
      state.at = head.at
      state.messages = head.tally.messages
      state.membersSeq = head.tally.members
      for (const { user, role, since, joined_at } of present.all(id)) {
        state.members.set(user, { role, since, joinedAt: joined_at })
      }
      return state
    }),

    origin: reading((id) => {
      const row = conversationRow.get(id)
      if (!row) return undefined
      return { origin: { kind: row.kind, title: row.title }, createdAt: row.created_at }
    }),

    entry: reading((conversation, seq) => {
      const row = entryAt.get(conversation, seq)
      return row ? toEntry(row) : undefined
    }),

    entries: reading((conversation, after, limit, bytes) =>
      readEntries(limit, bytes, (last, limit) =>
        entriesAfter.all(conversation, last?.seq ?? after, limit),
      ),
    ),

    seqAt: reading(
      (conversation, at, floor, upTo) => newestAt.get(conversation, floor, upTo, at)?.seq ?? floor,
    ),

    messages: reading((conversation, { from, to, limit, order, bytes }) => {
      const isAscending = order === "oldest"
      const page = readEntries(limit, bytes, (last, limit) =>
        isAscending
          ? oldestMessages.all(conversation, last ? last.seq + 1 : from, to, limit)
          : newestMessages.all(conversation, from, last ? last.seq - 1 : to, limit),
      )
      return (isAscending ? page : page.reverse()) as MessageEntry[]
    }),

    messagesById: reading(
      (ids) => ids.flatMap((id) => byId.get(id) ?? []).map(toEntry) as MessageEntry[],
    ),

    countMessages: reading((conversation, after, upTo, by) => {
      const upToHere = (seq: number) =>
        by === undefined
          ? (newestUpTo.get(conversation, seq)?.messages ?? 0)
          : (newestBy.get(conversation, by, seq)?.of_author ?? 0)
      return upToHere(upTo) - upToHere(after)
    }),

    authors: reading((conversation, after, upTo) =>
      authorsIn.all(conversation, after, upTo).map(({ author }) => author),
    ),

    member: reading((conversation, user) => {
      const row = memberRow.get(conversation, user)
      return row ? toMember(row) : undefined
    }),

    members: reading((conversation, after, limit) =>
      memberPage.all(conversation, after, limit).map(toMember),
    ),

    countMembers: reading((conversation) => memberCount.get(conversation)!.n),

    memberships: reading((user, range) =>
      ofUser.all(user, range?.after ?? "", range?.limit ?? -1).map(toView),
    ),

    conversations: reading((user, after, limit) => {
      const at = after?.at ?? Number.MAX_SAFE_INTEGER
      return listed.all(user, at, at, after?.id ?? "", limit).map(toView)
    }),

    moveMarks: (conversation, user, marks) =>
      write(() => {
        const row = memberRow.get(conversation, user)
        if (!row) return undefined
        const before = toMember(row)
        const now = {
          ...before,
          delivered: Math.max(before.delivered, marks.delivered ?? 0),
          read: Math.max(before.read, marks.read ?? 0),
        }
        if (now.delivered > before.delivered || now.read > before.read) {
          setMarks.run(now.delivered, now.read, conversation, user)
        }
        return { before, now }
      }),

    lowestMarks: reading((conversation) => ({
      delivered: lowestDelivered.all(conversation),
      read: lowestRead.all(conversation),
    })),

    ping: reading(() => void one.get()),

    async settle() {
      flush()
    },

    async [Symbol.asyncDispose]() {
      flush()
      db.close()
    },
  }
}

interface ViewRow extends MemberRow {
  head: number
  head_at: number
}
const toView = (row: ViewRow): MembershipView => ({
  ...toMember(row),
  head: row.head,
  headAt: row.head_at,
})

/** Reads entries in stretches, each from the last one of the range before, up to a number of them or of bytes of texts. */
function readEntries(
  limit: number,
  bytes: number | undefined,
  read: (last: Entry | undefined, limit: number) => EntryRow[],
): Entry[] {
  if (bytes === undefined) return read(undefined, limit).map(toEntry)
  const entries: Entry[] = []
  let left = bytes
  for (;;) {
    const wanted = Math.min(ROWS_PER_READ, limit - entries.length)
    const some = read(entries.at(-1), wanted).map(toEntry)
    const isLast = some.length < wanted || entries.length + wanted === limit
    // Nearly always all of them fit by far.
    if (isLast && mostBytes(some) <= left) return entries.concat(some)
    for (const entry of some) {
      entries.push(entry)
      left -= textBytes(entry)
      if (left < 0) return entries
    }
    if (isLast) return entries
  }
}
