import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { inRoot, ROOT } from "../launcher/root.ts"
import type { Verdict } from "./checker/verdict.ts"
import { report } from "./report/report.ts"
import { run } from "./run.ts"

const HELP = `torture [--engines embedded|cluster] [--minutes N] [--seed S] [--folder DIR]

  --engines   what the system runs on; embedded where nothing is said
  --minutes   for how long things go wrong; 2 where nothing is said
  --seed      decides what goes wrong, and what everyone does; a new one where nothing is said
  --folder    where history, logs and picture go; torture/results/<time> otherwise
`

interface Arguments {
  engines: "embedded" | "cluster"
  minutes: number
  seed: string
  folder: string
}

/**
 * One run with its verdict: people use a whole system while it is broken in every way, and a checker judges what they
 * saw. @returns 0 where everything held, 1 where something did not, 2 where the arguments make no sense.
 */
export async function torture(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === "string") {
    process.stderr.write(given)
    return given === HELP ? 0 : 2
  }
  const say = (text: string) => process.stderr.write(`• ${text}\n`)
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
  mkdirSync(dirname(given.folder), { recursive: true })
  say(
    `seed ${given.seed}, ${given.minutes} min on ${given.engines}; everything goes to ${given.folder}`,
  )
  await run({ ...given, say })
  say("checking")
  const verdict = await check(given.folder)
  process.stdout.write(await report(given, verdict.verdict))
  return verdict.status
}

/** Has the checker, a program of its own, judge a run's folder. */
export async function check(folder: string): Promise<{ status: number; verdict: Verdict }> {
  const child = Bun.spawn(
    [process.execPath, "--no-orphans", inRoot("torture/checker/main.ts"), folder],
    { cwd: ROOT, stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  )
  const status = await child.exited
  return { status, verdict: (await Bun.file(join(folder, "verdict.json")).json()) as Verdict }
}

function readArguments(args: string[]): Arguments | string {
  const given: Arguments = {
    engines: "embedded",
    minutes: 2,
    seed: crypto.randomUUID().slice(0, 8),
    folder: inRoot("torture/results", new Date().toISOString().replaceAll(":", "-")),
  }
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i], args[i + 1]]
    if (name === "--help" || name === "-h") return HELP
    if (value === undefined) return `${name} needs a value.\n\n${HELP}`
    if (name === "--engines" && (value === "embedded" || value === "cluster")) given.engines = value
    else if (name === "--minutes" && Number(value) > 0) given.minutes = Number(value)
    else if (name === "--seed") given.seed = value
    else if (name === "--folder") given.folder = value
    else return `"${name} ${value}" is not understood.\n\n${HELP}`
  }
  return given
}

if (import.meta.main) process.exit(await torture(process.argv.slice(2)))
