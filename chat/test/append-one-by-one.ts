import { writeSync } from "node:fs"
import { openStore } from "../store/store.ts"
import { createLog } from "./log-builder.ts"

/** Appends some entries, each after the one before is stored, and says so on stderr after each. */
const [dataDir, count] = process.argv.slice(2) as [string, string]
const store = await openStore({ dataDir })
const log = createLog("synced")
for (let n = 0; n < Number(count); n++) {
  await store.append([n === 0 ? log.founded("alice") : log.message("alice")])
  writeSync(2, `acknowledged ${n}\n`)
}
await store[Symbol.asyncDispose]()
