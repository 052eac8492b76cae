import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { inRoot } from "@parley/platform/machine/root.ts"
import { type Report, table } from "./report.ts"
import type { Scenario } from "./scenario.ts"
import { cluster } from "./scenarios/cluster.ts"
import { comeback } from "./scenarios/comeback.ts"
import { flow } from "./scenarios/flow.ts"
import { group } from "./scenarios/group.ts"
import { idle } from "./scenarios/idle.ts"
import { long } from "./scenarios/long.ts"
import { pair } from "./scenarios/pair.ts"
import { twoSubgraphs } from "./scenarios/query.ts"
import { start } from "./scenarios/start.ts"
import { machine } from "./system/machine.ts"

const SCENARIOS: Record<string, Scenario> = {
  start,
  pair,
  flow,
  query: twoSubgraphs,
  group,
  idle,
  cluster,
  comeback,
  long,
}

const HELP = `bench [scenario…] [--quick] [--json FILE]

  scenarios   ${Object.keys(SCENARIOS).join(", ")}; all of them where none is named
  --quick     a short run that shows that everything works; its figures are rough
  --json      where the figures go as JSON; cli/bench/results/<time>.json otherwise
`

interface Arguments {
  names: string[]
  quick: boolean
  json: string
}

/**
 * Measures this machine: starts what it measures, prints a table for each scenario, and writes all figures as JSON.
 * @returns the status to end with: 0 once everything was measured, reached or not; 1 where something broke; 2 where
 * the arguments make no sense.
 */
export async function bench(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === "string") {
    process.stderr.write(given)
    return given === HELP ? 0 : 2
  }
  const say = (text: string) => process.stderr.write(`• ${text}\n`)
  const began = new Date()
  const on = machine()
  say(`${on.cores} cores (${on.cpu}), ${on.memoryGb} GB, ${on.system}, Bun ${on.bun}`)
  if (on.loadBefore > on.cores / 4) say("This machine is not quiet: the wall figures will suffer.")

  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

  const reports: Report[] = []
  const failed: string[] = []
  for (const name of given.names) {
    try {
      const report = await SCENARIOS[name]!({
        quick: given.quick,
        say: (text) => say(`${name}: ${text}`),
      })
      const shown = given.quick ? unjudged(report) : report
      reports.push(shown)
      process.stdout.write(`${table(shown)}\n`)
    } catch (error) {
      failed.push(name)
      process.stderr.write(`${name} broke: ${(error as Error).stack ?? error}\n`)
    }
  }
  mkdirSync(dirname(given.json), { recursive: true })
  const result = { time: began.toISOString(), quick: given.quick, machine: on, reports, failed }
  await Bun.write(given.json, `${JSON.stringify(result, null, 2)}\n`)
  say(`all figures: ${given.json}`)
  return failed.length > 0 ? 1 : 0
}

/** A short run says nothing about what is reached. */
const unjudged = ({ figures, ...report }: Report): Report => ({
  ...report,
  figures: figures.map(({ met: _, ...figure }) => figure),
})

function readArguments(args: string[]): Arguments | string {
  const names: string[] = []
  let quick = false
  let json = inRoot("cli/bench/results", `${new Date().toISOString().replaceAll(":", "-")}.json`)
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--help" || arg === "-h") return HELP
    if (arg === "--quick") quick = true
    else if (arg === "--json" && args[i + 1]) json = args[++i]!
    else if (Object.hasOwn(SCENARIOS, arg)) names.push(arg)
    else return `There is no scenario "${arg}".\n\n${HELP}`
  }
  return { names: names.length > 0 ? names : Object.keys(SCENARIOS), quick, json }
}

if (import.meta.main) process.exit(await bench(process.argv.slice(2)))
