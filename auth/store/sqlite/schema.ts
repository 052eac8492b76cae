import type { Database } from "bun:sqlite"
import { ConfigError } from "@parley/platform/config.ts"

/** One entry per version of the schema; `PRAGMA user_version` says how many have been applied. Only ever append. */
const MIGRATIONS = [
  `
  CREATE TABLE users (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    about TEXT,
    avatar_url TEXT,
    created_at INTEGER NOT NULL,
    password_hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE name_terms (
    term TEXT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (term, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX name_terms_by_user ON name_terms (user);

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    device TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    token_hash TEXT NOT NULL,
    rotated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_user ON sessions (user, last_seen_at);
  CREATE INDEX sessions_by_end ON sessions (ended_at);
  CREATE INDEX sessions_by_expiry ON sessions (expires_at);

  CREATE TABLE counters (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    hits TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counters_by_expiry ON counters (expires_at);
  `,
]

/**
 * Brings the file to the present schema, each step in one transaction with its number.
 * @throws ConfigError where a newer Parley wrote the file: its data would be read wrongly.
 */
export function migrate(database: Database, file: string): void {
  const found = database.query<{ user_version: number }, []>("PRAGMA user_version").get()
  const version = found?.user_version ?? 0
  if (version > MIGRATIONS.length) {
    throw new ConfigError(
      `${file} was written by a newer Parley (schema ${version}, this one knows ${MIGRATIONS.length}): ` +
        "start that one, or choose another DATA_DIR.",
    )
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue
    database.transaction(() => {
      database.run(migration)
      database.run(`PRAGMA user_version = ${index + 1}`)
    })()
  }
}
