import { Database } from "bun:sqlite"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { systemClock } from "@parley/platform/clock.ts"
import { ConfigError } from "@parley/platform/config.ts"
import type { Logger } from "@parley/platform/log.ts"
import {
  type Store as AuthStore,
  openStore as openAuthStore,
  type StoredKeys,
} from "../../auth/store/store.ts"
import { type Store as ChatStore, openStore as openChatStore } from "../../chat/store/store.ts"

type Table =
  | ("users" | "sessions" | "counters")
  | ("conversations" | "entries" | "members" | "settings" | "usage")

/** An embedded installation at rest: its stores, and the ids of what they keep, which no port lists. */
export interface Source extends AsyncDisposable {
  auth: AuthStore
  chat: ChatStore
  keys: StoredKeys
  users: string[]
  sessions: string[]
  counters: string[]
  conversations: string[]
  /** Everyone who is or was a member of anything. */
  members: string[]
  /** The users who have chosen any. */
  settings: string[]
  usage: { user: string; day: number }[]
  /** How much there is of something, which the file of its service has a table for. */
  count(table: Table): number
}

/**
 * Opens what `./parley start` has kept in a data folder. The caller holds the folder's lock.
 * @throws ConfigError where there is nothing, or it cannot be used.
 */
export async function openSource(dataDir: string, log: Logger): Promise<Source> {
  const files = { auth: join(dataDir, "auth/auth.sqlite"), chat: join(dataDir, "chat/chat.sqlite") }
  if (!existsSync(files.auth) || !existsSync(files.chat)) {
    throw new ConfigError(
      `There is no installation in ${dataDir}: set DATA_DIR to the folder that ./parley start keeps its data in.`,
    )
  }
  const embedded = { dataDir, mongodbUrl: undefined, linkSecret: "" }
  const auth = await openAuthStore(embedded, { clock: systemClock, log })
  const chat = await openChatStore({ dataDir, cluster: undefined }, log)
  const keys = await auth.keys.load()
  if (!keys) throw new ConfigError(`${dataDir}/auth has no keys.json: restore it, and try again.`)
  return {
    auth,
    chat,
    keys,
    users: idsIn(files.auth, "SELECT id FROM users ORDER BY id"),
    sessions: idsIn(files.auth, "SELECT id FROM sessions ORDER BY id"),
    counters: idsIn(files.auth, "SELECT key AS id FROM counters ORDER BY key"),
    conversations: idsIn(files.chat, "SELECT id FROM conversations ORDER BY id"),
    members: idsIn(files.chat, "SELECT DISTINCT user AS id FROM members ORDER BY user"),
    settings: idsIn(files.chat, "SELECT user AS id FROM settings ORDER BY user"),
    usage: usageIn(files.chat),
    count: (table) => countIn(table in AUTH_TABLES ? files.auth : files.chat, table),
    async [Symbol.asyncDispose]() {
      await auth[Symbol.asyncDispose]()
      await chat[Symbol.asyncDispose]()
    },
  }
}

const AUTH_TABLES = { users: true, sessions: true, counters: true }

function countIn(file: string, table: string): number {
  using db = new Database(file, { readonly: true })
  return db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0
}

function usageIn(file: string): { user: string; day: number }[] {
  using db = new Database(file, { readonly: true })
  return db.query<{ user: string; day: number }, []>("SELECT user, day FROM usage").all()
}

function idsIn(file: string, sql: string): string[] {
  using db = new Database(file, { readonly: true })
  return db
    .query<{ id: string }, []>(sql)
    .all()
    .map(({ id }) => id)
}
