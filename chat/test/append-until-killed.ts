import { openStore } from "../store/store.ts"
import { createLog } from "./log-builder.ts"

/**
 * A process that appends to one conversation as fast as it can, several batches in flight, and writes to stdout the seq
 * of each entry that was acknowledged. It runs until it is killed.
 */
const [dataDir, conversation] = process.argv.slice(2) as [string, string]
const store = await openStore({ dataDir })
const log = createLog(conversation)
await store.append([log.founded("alice")])

const inFlight = new Set<Promise<unknown>>()
for (;;) {
  const batch = Array.from({ length: 3 }, () => log.message("alice", "acknowledged before the end"))
  const written = store.append(batch).then((stored) => {
    if (stored !== batch.length) throw new Error(`${stored} of ${batch.length}`)
    process.stdout.write(`${batch.map(({ seq }) => seq).join("\n")}\n`)
    inFlight.delete(written)
  })
  inFlight.add(written)
  if (inFlight.size >= 4) await Promise.race(inFlight)
}
