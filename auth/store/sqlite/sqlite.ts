import { Database, SQLiteError } from "bun:sqlite"
import { accessSync, chmodSync, constants, mkdirSync } from "node:fs"
import { type Clock, systemClock } from "@parley/platform/clock.ts"
import { ConfigError } from "@parley/platform/config.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Counter, Credentials, Session, Store, User } from "../store.ts"
import { keyFile } from "./key-file.ts"
import { migrate } from "./schema.ts"

const USER = "id, username, name, about, avatar_url AS avatarUrl, created_at AS createdAt"
const CREDENTIALS = "id AS user, username, password_hash AS passwordHash"
const SESSION = `id, user, device, created_at AS createdAt, last_seen_at AS lastSeenAt, generation,
  token_hash AS tokenHash, rotated_at AS rotatedAt, expires_at AS expiresAt, ended_at AS endedAt`

/** Sorts behind every text that begins with the prefix: no text of ours holds this noncharacter. */
const prefixEnd = (prefix: string) => `${prefix}\u{10FFFF}`

/**
 * The embedded engine, in a folder of its own: one SQLite file, WAL, every commit fsynced before it is answered, and
 * the keys beside it. Its time is this process's. What the engine cannot do just now (a full disk, a lock that another
 * process holds) is UNAVAILABLE.
 * @throws ConfigError where the folder or the file cannot be used, or a newer Parley wrote it.
 */
export function openSqliteStore(directory: string, clock: Clock = systemClock): Store {
  mustBeWritable(directory)
  const db = openDatabase(`${directory}/auth.sqlite`)

  const one = <Row>(sql: string) => {
    const statement = db.prepare<Row, Bindings[]>(sql)
    return (values: Bindings) => statement.get(values) ?? undefined
  }
  const all = <Row>(sql: string) => {
    const statement = db.prepare<Row, Bindings[]>(sql)
    return (values: Bindings) => statement.all(values)
  }
  const change = (sql: string) => {
    const statement = db.prepare<unknown, Bindings[]>(sql)
    return (values: Bindings) => statement.run(values).changes
  }

  const insertUser = change(
    `INSERT INTO users (id, username, name, about, avatar_url, created_at, password_hash)
     VALUES ($id, $username, $name, $about, $avatarUrl, $createdAt, $passwordHash)
     ON CONFLICT DO NOTHING`,
  )
  const insertTerms = change(
    "INSERT OR IGNORE INTO name_terms (term, user) SELECT value, $user FROM json_each($terms)",
  )
  const deleteTerms = change("DELETE FROM name_terms WHERE user = $user")
  const userById = one<User>(`SELECT ${USER} FROM users WHERE id = $id`)
  const usersById = all<User>(
    `SELECT ${USER} FROM users WHERE id IN (SELECT value FROM json_each($ids))`,
  )
  const userByUsername = one<User>(`SELECT ${USER} FROM users WHERE username = $username`)
  const usersByUsernamePrefix = all<User>(
    `SELECT ${USER} FROM users WHERE username >= $prefix AND username < $end
     ORDER BY username LIMIT $limit`,
  )
  const usersByNamePrefix = all<User>(
    `SELECT ${USER} FROM users WHERE id IN (
       SELECT DISTINCT user FROM name_terms WHERE term >= $prefix AND term < $end LIMIT $limit)`,
  )
  const setName = change("UPDATE users SET name = $name WHERE id = $id")
  const setAbout = change("UPDATE users SET about = $about WHERE id = $id")
  const setAvatar = change("UPDATE users SET avatar_url = $avatarUrl WHERE id = $id")
  const credentials = one<Credentials>(
    `SELECT ${CREDENTIALS} FROM users WHERE username = $username`,
  )
  const credentialsById = one<Credentials>(`SELECT ${CREDENTIALS} FROM users WHERE id = $id`)
  const replacePassword = change(
    "UPDATE users SET password_hash = $passwordHash WHERE id = $id AND password_hash = $expected",
  )

  const insertSession = change(
    `INSERT INTO sessions (id, user, device, created_at, last_seen_at, generation, token_hash, rotated_at,
       expires_at, ended_at)
     VALUES ($id, $user, $device, $createdAt, $lastSeenAt, $generation, $tokenHash, $rotatedAt,
       $expiresAt, $endedAt)`,
  )
  const session = one<Session>(`SELECT ${SESSION} FROM sessions WHERE id = $id`)
  const liveSessions = all<Session>(
    `SELECT ${SESSION} FROM sessions WHERE user = $user AND ended_at IS NULL AND expires_at > $now
     ORDER BY last_seen_at DESC, id DESC`,
  )
  const liveAmong = all<{ id: string }>(
    `SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each($ids))
     AND ended_at IS NULL AND expires_at > $now`,
  )
  const rotateSession = change(
    `UPDATE sessions SET generation = $generation, token_hash = $tokenHash, rotated_at = $rotatedAt,
       last_seen_at = $lastSeenAt, expires_at = $expiresAt
     WHERE id = $id AND generation = $expectedGeneration AND ended_at IS NULL`,
  )
  const endSession = change(
    "UPDATE sessions SET ended_at = $at WHERE id = $id AND ended_at IS NULL",
  )
  const endedSessions = all<{ id: string; endedAt: number }>(
    `SELECT id, ended_at AS endedAt FROM sessions WHERE ended_at > $after
     ORDER BY ended_at, id LIMIT $limit`,
  )

  const counter = one<Omit<Counter, "hits"> & { hits: string }>(
    "SELECT key, version, hits, expires_at AS expiresAt FROM counters WHERE key = $key",
  )
  const insertCounter = change(
    `INSERT INTO counters (key, version, hits, expires_at) VALUES ($key, $version, $hits, $expiresAt)
     ON CONFLICT DO NOTHING`,
  )
  const updateCounter = change(
    `UPDATE counters SET version = $version, hits = $hits, expires_at = $expiresAt
     WHERE key = $key AND version = $version - 1`,
  )
  const pruneCounters = change("DELETE FROM counters WHERE expires_at < $now")
  const pruneEnded = change("DELETE FROM sessions WHERE ended_at < $before")
  const pruneExpired = change("DELETE FROM sessions WHERE expires_at < $before")
  const ping = one<unknown>("SELECT $nothing")

  const addUser = db.transaction((user: Bindings, terms: string) => {
    if (insertUser(user) === 0) return false
    insertTerms({ user: user.id ?? null, terms })
    return true
  })

  return refusing({
    async insertUser({ nameTerms, ...user }) {
      return addUser(user, JSON.stringify(nameTerms))
    },
    async usersById(ids) {
      if (ids.length !== 1) return usersById({ ids: JSON.stringify(ids) })
      const user = userById({ id: ids[0] as string })
      return user ? [user] : []
    },
    async userByUsername(username) {
      return userByUsername({ username })
    },
    async usersByUsernamePrefix(prefix, limit) {
      return usersByUsernamePrefix({ prefix, end: prefixEnd(prefix), limit })
    },
    async usersByNamePrefix(prefix, limit) {
      return usersByNamePrefix({ prefix, end: prefixEnd(prefix), limit })
    },
    async updateProfile(id, { name, about, avatarUrl }) {
      return db.transaction(() => {
        if (name && setName({ id, name: name.name }) > 0) {
          deleteTerms({ user: id })
          insertTerms({ user: id, terms: JSON.stringify(name.terms) })
        }
        if (about !== undefined) setAbout({ id, about })
        if (avatarUrl !== undefined) setAvatar({ id, avatarUrl })
        return userById({ id })
      })()
    },

    async credentials(username) {
      return credentials({ username })
    },
    async credentialsById(id) {
      return credentialsById({ id })
    },
    async replacePassword(id, expected, passwordHash) {
      return replacePassword({ id, expected, passwordHash }) > 0
    },

    async insertSession(session) {
      insertSession({ ...session })
    },
    async session(id) {
      return session({ id })
    },
    async liveAmong(ids, now) {
      return liveAmong({ ids: JSON.stringify(ids), now }).map(({ id }) => id)
    },
    async liveSessions(user, now) {
      return liveSessions({ user, now })
    },
    async rotateSession(id, expectedGeneration, rotation) {
      const rotatedAt = clock.now()
      return rotateSession({ id, expectedGeneration, ...rotation, rotatedAt }) > 0
    },
    async endSession(id) {
      endSession({ id, at: clock.now() })
    },
    async endedSessions(after, limit) {
      return endedSessions({ after, limit })
    },

    async counter(key) {
      const row = counter({ key })
      return row && { ...row, hits: JSON.parse(row.hits) as Counter["hits"] }
    },
    async putCounter({ hits, ...rest }) {
      const put = rest.version === 1 ? insertCounter : updateCounter
      return put({ ...rest, hits: JSON.stringify(hits) }) > 0
    },

    async prune(now, sessionsBefore) {
      pruneCounters({ now })
      pruneEnded({ before: sessionsBefore })
      pruneExpired({ before: sessionsBefore })
    },
    async ping() {
      ping({ nothing: null })
    },
    time: async () => clock.now(),
    clock,
    keys: keyFile(`${directory}/keys.json`),
    async [Symbol.asyncDispose]() {
      db.close()
    },
  })
}

type Bindings = Record<string, string | number | null>

function mustBeWritable(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new ConfigError(
      `DATA_DIR cannot be used: ${directory} is not a folder that can be written to (${(error as Error).message}).`,
    )
  }
}

function openDatabase(file: string): Database {
  let db: Database | undefined
  try {
    db = new Database(file, { create: true, strict: true })
    // SQLite gives the files beside it, which come with WAL, the same mode.
    chmodSync(file, 0o600)
    db.run("PRAGMA busy_timeout = 2000")
    db.run("PRAGMA journal_mode = WAL")
    db.run("PRAGMA synchronous = FULL")
    migrate(db, file)
    return db
  } catch (error) {
    db?.close()
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file} cannot be used as a store: ${(error as Error).message}.`)
  }
}

/** The same store; what the engine refuses is UNAVAILABLE, and its own words stay in the log. */
function refusing(store: Store): Store {
  const refuse = (error: unknown): never => {
    if (!(error instanceof SQLiteError)) throw error
    throw unavailable("The store does not answer just now.", error)
  }
  const guarded = Object.entries(store as unknown as Record<string, Operation>)
    .filter(([, operation]) => typeof operation === "function")
    .map(([name, operation]) => [
      name,
      (...values: unknown[]) => operation(...values).catch(refuse),
    ])
  return { ...store, ...(Object.fromEntries(guarded) as Partial<Store>) }
}

type Operation = (...values: unknown[]) => Promise<unknown>
