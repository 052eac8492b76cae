import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { syncsBeforeEach } from "@parley/testing/synced.ts"
import { until } from "@parley/testing/until.ts"
import { createLog } from "../../test/log-builder.ts"
import { peopleContract } from "../people.contract.ts"
import { type StorePlace, storeContract } from "../store.contract.ts"
import { openStore } from "../store.ts"
import { openSqliteStore } from "./sqlite.ts"

async function preparePlace(): Promise<StorePlace> {
  const folder = temporaryFolder()
  return {
    open: () => openStore({ dataDir: folder.path }),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  }
}

storeContract("SQLite", preparePlace)
peopleContract("SQLite", preparePlace)

const refused = { code: "UNAVAILABLE" }

test("what was acknowledged survives kill -9", async () => {
  using folder = temporaryFolder()
  const conversation = "killed"
  const script = join(import.meta.dir, "../../test/append-until-killed.ts")
  const child = Bun.spawn([process.execPath, script, folder.path, conversation], {
    stdout: "pipe",
    stderr: "inherit",
  })
  let printed = ""
  const reading = (async () => {
    for await (const chunk of child.stdout) printed += new TextDecoder().decode(chunk)
  })()
  await until(() => printed.length > 4_000, "some acknowledgements")
  child.kill("SIGKILL")
  await child.exited
  await reading

  const acknowledged = printed.slice(0, printed.lastIndexOf("\n")).split("\n").map(Number)
  expect(acknowledged.length).toBeGreaterThan(500)
  await using store = await openStore({ dataDir: folder.path })
  const seqs = (await store.entries(conversation, 0, 1e6)).map(({ seq }) => seq)
  expect(seqs).toEqual(seqs.map((_, i) => i + 1))
  expect(seqs.length).toBeGreaterThanOrEqual(Math.max(...acknowledged))
  expect((await store.state(conversation)).head).toBe(seqs.length)
}, 30_000)

test("what is acknowledged is on the disk, not only in the kernel's memory", async () => {
  using folder = temporaryFolder()
  const script = join(import.meta.dir, "../../test/append-one-by-one.ts")
  const syncs = await syncsBeforeEach(script, folder.path, "50")
  expect(syncs).toHaveLength(50)
  expect(Math.min(...syncs)).toBeGreaterThan(0)
}, 60_000)

test("a store that a newer version wrote is refused with a sentence", async () => {
  using folder = temporaryFolder()
  await (await openStore({ dataDir: folder.path }))[Symbol.asyncDispose]()
  const path = join(folder.path, "chat", "chat.sqlite")
  const db = new Database(path)
  db.run("PRAGMA user_version = 7")
  db.close()
  await expect(openStore({ dataDir: folder.path })).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(/newer Parley \(version 7; this one knows \d+\).*\.$/),
  })
})

test("a file that is no store, and a folder that is none, are refused with a sentence", async () => {
  using folder = temporaryFolder()
  mkdirSync(join(folder.path, "chat"))
  writeFileSync(join(folder.path, "chat", "chat.sqlite"), "This is a diary. ".repeat(500))
  const sentence = { name: "ConfigError", message: expect.stringMatching(/chat.* cannot be .*\.$/) }
  await expect(openStore({ dataDir: folder.path })).rejects.toMatchObject(sentence)

  writeFileSync(join(folder.path, "file"), "")
  await expect(openStore({ dataDir: join(folder.path, "file") })).rejects.toMatchObject(sentence)
})

/** A store, and the connection beneath it, to be made to fail. */
function openWithConnection(path: string) {
  const run = spyOn(Database.prototype, "run")
  const store = openSqliteStore(path)
  const db = run.mock.contexts[0] as Database
  run.mockRestore()
  return { store, db }
}

test("a full disk is UNAVAILABLE, harms nothing that is stored, and passes", async () => {
  using folder = temporaryFolder()
  const { store, db } = openWithConnection(join(folder.path, "full.sqlite"))
  const log = createLog("full")
  const small = [log.founded("alice"), log.message("alice", "it fitted")]
  await store.append(small)
  db.run("PRAGMA max_page_count = 1")
  const large = log.message("alice", "x".repeat(400_000))
  // Writers of the same moment share a commit; each of them hears that it was not done.
  const attempts = await Promise.allSettled([
    store.append([large]),
    store.moveMarks("full", "alice", { read: 2 }),
  ])
  for (const attempt of attempts) {
    expect(attempt).toMatchObject({ status: "rejected", reason: refused })
  }
  expect(await store.entries("full", 0, 10)).toEqual(small)
  expect(await store.member("full", "alice")).toMatchObject({ read: 1 })
  expect((await store.state("full")).head).toBe(2)

  db.run("PRAGMA max_page_count = 100000")
  expect(await store.append([large])).toBe(1)
  await store[Symbol.asyncDispose]()

  await using again = openSqliteStore(join(folder.path, "full.sqlite"))
  expect(await again.entries("full", 0, 10)).toEqual([...small, large])
})

test("a database that another process keeps locked is UNAVAILABLE until it is free", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "locked.sqlite")
  await using store = openSqliteStore(path)
  const log = createLog("locked")
  await store.append([log.founded("alice")])
  const rival = new Database(path)
  rival.run("BEGIN IMMEDIATE")
  const message = log.message("alice")
  expect(await store.append([message]).catch((error) => error)).toMatchObject(refused)
  rival.run("COMMIT")
  rival.close()
  expect(await store.append([message])).toBe(1)
})

test("a connection that fails while reading is UNAVAILABLE", async () => {
  using folder = temporaryFolder()
  const { store, db } = openWithConnection(join(folder.path, "gone.sqlite"))
  await store.append([createLog("gone").founded("alice")])
  db.run("ALTER TABLE entries RENAME TO torn")
  expect(await store.entries("gone", 0, 1).catch((error) => error)).toMatchObject(refused)
  db.run("ALTER TABLE torn RENAME TO entries")
  expect(await store.entries("gone", 0, 1)).toHaveLength(1)
  await store[Symbol.asyncDispose]()
})

test("writes of one moment are one commit, and a commit is on disk", async () => {
  using folder = temporaryFolder()
  const { store, db } = openWithConnection(join(folder.path, "group.sqlite"))
  expect(db.query("PRAGMA synchronous").get()).toEqual({ synchronous: 2 })
  const run = spyOn(db, "run")
  const logs = Array.from({ length: 100 }, (_, i) => createLog(`c${i}`))
  await Promise.all(logs.map((log) => store.append([log.founded("alice")])))
  expect(run.mock.calls.filter(([sql]) => sql === "COMMIT")).toHaveLength(1)
  run.mockRestore()
  await store[Symbol.asyncDispose]()
})

test("no other user of the machine can read the messages", async () => {
  using folder = temporaryFolder()
  const chat = join(folder.path, "chat")
  const modeOf = (path: string) => statSync(path).mode & 0o777
  // As an earlier version left it.
  mkdirSync(chat, { mode: 0o755 })
  for (const name of ["chat.sqlite", "chat.sqlite-wal"]) {
    writeFileSync(join(chat, name), "", { mode: 0o644 })
  }
  const store = await openStore({ dataDir: folder.path })
  await store.append([createLog("private").founded("alice")])
  expect(modeOf(chat)).toBe(0o700)
  const files = readdirSync(chat)
  expect(files).toContain("chat.sqlite-wal")
  for (const name of files) expect([name, modeOf(join(chat, name))]).toEqual([name, 0o600])
  await store[Symbol.asyncDispose]()
})

test("counting the conversations of people who are in thousands lets others have their turn", async () => {
  await using store = openSqliteStore(":memory:")
  const people = ["alice", "bob", "carol"]
  const appending = Array.from({ length: 10_000 }, (_, i) =>
    store.append([createLog(`conversation-${i}`).founded("alice", people)]),
  )
  await Promise.all(appending)
  let isCounted = false
  const counting = store.people.countConversations(people, 10_000).finally(() => {
    isCounted = true
  })
  await new Promise(setImmediate)
  expect(isCounted).toBe(false)
  expect(await counting).toEqual(new Map(people.map((user) => [user, 10_000])))
})

test("a page whose bytes are bounded is read 64 rows at a time", async () => {
  const { query } = Database.prototype
  const rows: number[] = []
  const counting = function (this: Database, sql: string) {
    const statement = query.call(this, sql)
    const all = statement.all.bind(statement)
    statement.all = (...values) => {
      const found = all(...values)
      rows.push(found.length)
      return found
    }
    return statement
  }
  const queries = spyOn(Database.prototype, "query").mockImplementation(counting as typeof query)
  await using store = openSqliteStore(":memory:")
  queries.mockRestore()
  const log = createLog("c")
  await store.append([log.founded("alice")])
  await store.append(Array.from({ length: 200 }, () => log.message("alice")))
  rows.length = 0
  await store.entries("c", 0, 1_000, 512 * 1024)
  expect(rows).toEqual([64, 64, 64, 9])
})
