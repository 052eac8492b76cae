import { writeSync } from "node:fs"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"

/** Inserts some users, each after the one before is stored, and says so on stderr after each. */
const [folder, count] = process.argv.slice(2) as [string, string]
const store = openSqliteStore(folder)
for (let n = 0; n < Number(count); n++) {
  const name = `user${n}`
  await store.insertUser({
    id: name,
    username: name,
    name,
    about: null,
    avatarUrl: null,
    nameTerms: [name],
    passwordHash: "none",
    createdAt: n,
  })
  writeSync(2, `acknowledged ${n}\n`)
}
await store[Symbol.asyncDispose]()
