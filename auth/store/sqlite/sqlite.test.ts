import { Database } from "bun:sqlite"
import { describe, expect, spyOn, test } from "bun:test"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ConfigError } from "@parley/platform/config.ts"
import { syncsBeforeEach } from "@parley/testing/synced.ts"
import { storeContract } from "../store.contract.ts"
import { openSqliteStore } from "./sqlite.ts"

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "parley-auth-store-"))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A store, and the connection beneath it. */
function openWithConnection(folder: string) {
  const run = spyOn(Database.prototype, "run")
  const store = openSqliteStore(folder)
  const db = run.mock.contexts[0] as Database
  run.mockRestore()
  return { store, db }
}

storeContract("SQLite", async () => {
  const place = newFolder()
  return {
    open: async () => openSqliteStore(place.folder),
    async [Symbol.asyncDispose]() {
      place[Symbol.dispose]()
    },
  }
})

describe("the file of the SQLite engine", () => {
  test("is its owner's alone, and commits are fsynced", async () => {
    using place = newFolder()
    const file = join(place.folder, "auth.sqlite")
    const { db, store } = openWithConnection(place.folder)
    for (const one of [file, `${file}-wal`]) expect(statSync(one).mode & 0o077).toBe(0)
    expect(db.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" })
    const full = 2
    expect(db.query("PRAGMA synchronous").get()).toEqual({ synchronous: full })
    await store[Symbol.asyncDispose]()
  })

  test("has on the disk what is acknowledged", async () => {
    using place = newFolder()
    const script = join(import.meta.dir, "../../test/insert-one-by-one.ts")
    const syncs = await syncsBeforeEach(script, place.folder, "20")
    expect(syncs).toHaveLength(20)
    expect(Math.min(...syncs)).toBeGreaterThan(0)
  }, 60_000)

  test("of a newer Parley is refused with a sentence, and left as it is", () => {
    using place = newFolder()
    const file = join(place.folder, "auth.sqlite")
    {
      using database = new Database(file)
      database.run("CREATE TABLE from_the_future (x)")
      database.run("PRAGMA user_version = 99")
    }
    expect(() => openSqliteStore(place.folder)).toThrow(ConfigError)
    expect(() => openSqliteStore(place.folder)).toThrow(/newer Parley.*DATA_DIR/)
    using database = new Database(file)
    expect(database.query("SELECT name FROM sqlite_schema").all()).toEqual([
      { name: "from_the_future" },
    ])
  })

  test("that is none is refused with a sentence", () => {
    using place = newFolder()
    const file = join(place.folder, "auth.sqlite")
    writeFileSync(file, "This is a diary. ".repeat(500))
    expect(() => openSqliteStore(place.folder)).toThrow(ConfigError)
    expect(() => openSqliteStore(place.folder)).toThrow(
      /auth.sqlite cannot be used as a store: .*\.$/,
    )
  })

  test("on a full disk makes writes UNAVAILABLE, harms nothing that is stored, and recovers", async () => {
    using place = newFolder()
    const { db, store } = openWithConnection(place.folder)
    const user = (username: string, about: string) => ({
      id: username,
      username,
      name: username,
      about,
      avatarUrl: null,
      createdAt: 1,
      passwordHash: "hash",
      nameTerms: [username],
    })
    await store.insertUser(user("alice", "fits"))
    db.run("PRAGMA max_page_count = 1")
    const large = user("bob", "x".repeat(400_000))
    await expect(store.insertUser(large)).rejects.toMatchObject({ code: "UNAVAILABLE" })
    await expect(store.updateProfile("alice", { about: large.about })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    })
    expect((await store.userByUsername("alice"))?.about).toBe("fits")
    expect(await store.userByUsername("bob")).toBeUndefined()
    expect(await store.usersByNamePrefix("bob", 1)).toEqual([])
    db.run("PRAGMA max_page_count = 100000")
    expect(await store.insertUser(large)).toBeTrue()
    await store[Symbol.asyncDispose]()
  })
})
