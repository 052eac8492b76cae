import { Database } from "bun:sqlite"
import { chmodSync, existsSync } from "node:fs"
import { ConfigError } from "@parley/platform/config.ts"
import { PEOPLE_SCHEMA } from "./people.ts"
import { USAGE_SCHEMA } from "./usage.ts"

const SCHEMA_VERSION = 1

const SCHEMA = `
  CREATE TABLE conversations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT, created_at INTEGER NOT NULL,
    head INTEGER NOT NULL, head_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE entries (
    conversation TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, author TEXT NOT NULL,
    kind TEXT NOT NULL, id TEXT, body TEXT NOT NULL,
    messages INTEGER NOT NULL, of_author INTEGER NOT NULL, members INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX entries_by_id ON entries (id) WHERE id IS NOT NULL;
  CREATE INDEX entries_by_author ON entries (conversation, author, seq) WHERE kind = 'message';
  CREATE TABLE members (
    conversation TEXT NOT NULL, user TEXT NOT NULL, role TEXT NOT NULL,
    since INTEGER NOT NULL, joined_at INTEGER NOT NULL, until INTEGER,
    delivered INTEGER NOT NULL, read INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
  ) WITHOUT ROWID;
  CREATE INDEX members_by_user ON members (user);
  CREATE INDEX members_by_delivered ON members (conversation, delivered) WHERE until IS NULL;
  CREATE INDEX members_by_read ON members (conversation, read) WHERE until IS NULL;
`

/** Indexes that came later; to an older Parley they do no harm. */
const LATER_INDEXES = `
  CREATE INDEX IF NOT EXISTS members_present_by_user ON members (user) WHERE until IS NULL;
`

/** Opens the database file, made or brought up to date where needed. @throws ConfigError where it cannot be used. */
export function openDatabase(path: string): Database {
  try {
    const db = new Database(path, { create: true, strict: true })
    // SQLite gives the files beside it, which come with WAL, the same mode; those of an earlier run have theirs.
    if (path !== ":memory:") chmodSync(path, 0o600)
    for (const beside of [`${path}-wal`, `${path}-shm`])
      if (existsSync(beside)) chmodSync(beside, 0o600)
    db.run("PRAGMA busy_timeout = 2000")
    db.run("PRAGMA journal_mode = WAL")
    db.run("PRAGMA synchronous = FULL")
    migrate(db, path)
    // What an older Parley does not know and does not touch needs no version: it may be started on this file again.
    db.run(PEOPLE_SCHEMA)
    db.run(USAGE_SCHEMA)
    db.run(LATER_INDEXES)
    return db
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : error
    throw new ConfigError(`${path} cannot be used as the chat store: ${reason}.`, { cause: error })
  }
}

function migrate(db: Database, path: string): void {
  const { user_version: version } = db.query("PRAGMA user_version").get() as {
    user_version: number
  }
  if (version > SCHEMA_VERSION) {
    throw new ConfigError(
      `${path} was written by a newer Parley (version ${version}; this one knows ${SCHEMA_VERSION}): start that one.`,
    )
  }
  if (version === SCHEMA_VERSION) return
  db.transaction(() => {
    db.run(SCHEMA)
    db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  })()
}
