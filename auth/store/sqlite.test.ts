import { Database } from "bun:sqlite"
import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ConfigError } from "@parley/service/config.ts"
import { openSqliteStore } from "./sqlite.ts"
import { storeContract } from "./store.contract.ts"
import { openStore } from "./store.ts"

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "parley-auth-store-"))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

storeContract("SQLite", async () => {
  const place = newFolder()
  return {
    open: async () => openStore(place.folder),
    async [Symbol.asyncDispose]() {
      place[Symbol.dispose]()
    },
  }
})

describe("the file of the SQLite engine", () => {
  test("is its owner's alone, and commits are fsynced", async () => {
    using place = newFolder()
    const file = join(place.folder, "auth.sqlite")
    await using _store = openSqliteStore(file)
    for (const one of [file, `${file}-wal`]) expect(statSync(one).mode & 0o077).toBe(0)
    using database = new Database(file, { readonly: true })
    expect(database.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" })
  })

  test("of a newer Parley is refused with a sentence, and left as it is", () => {
    using place = newFolder()
    const file = join(place.folder, "auth.sqlite")
    {
      using database = new Database(file)
      database.run("CREATE TABLE from_the_future (x)")
      database.run("PRAGMA user_version = 99")
    }
    expect(() => openSqliteStore(file)).toThrow(ConfigError)
    expect(() => openSqliteStore(file)).toThrow(/newer Parley.*DATA_DIR/)
    using database = new Database(file)
    expect(database.query("SELECT name FROM sqlite_schema").all()).toEqual([
      { name: "from_the_future" },
    ])
  })
})
