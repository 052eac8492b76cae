import { join } from "node:path"
import { readEvidence } from "./evidence.ts"
import { isClean, judge } from "./verdict.ts"

/**
 * The checker as a program of its own: reads `history.jsonl` and `store.jsonl` of a run's folder, says what it finds,
 * and leaves it in `verdict.json`. It ends with 0 where nothing is wrong, else with 1.
 */
const [folder] = process.argv.slice(2)
if (!folder) {
  process.stderr.write("checker/main.ts FOLDER: the folder of a run\n")
  process.exit(2)
}
const verdict = judge(await readEvidence(folder))
await Bun.write(join(folder, "verdict.json"), `${JSON.stringify(verdict, null, 2)}\n`)
if (!verdict.complete) process.stdout.write("✗ the run did not come to its end\n")
for (const thin of verdict.thin) process.stdout.write(`✗ too little happened: ${thin}\n`)
for (const { name, violations, examples } of verdict.properties) {
  process.stdout.write(`${violations === 0 ? "✓" : "✗"} ${name.padEnd(12)}`)
  process.stdout.write(violations === 0 ? "\n" : ` ${violations} violations\n`)
  for (const { what, lines } of examples) {
    const where = lines.filter((line) => line > 0)
    process.stdout.write(`    ${what}${where.length > 0 ? ` (lines ${where.join(", ")})` : ""}\n`)
  }
}
process.exit(isClean(verdict) ? 0 : 1)
