import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { inRoot, ROOT } from "../../platform/machine/root.ts"
import type { Bug } from "./bugs/bug.ts"
import { type Engines, hunt, report as reportHunt } from "./bugs/bugs.ts"
import { BUGS } from "./bugs/catalogue.ts"
import { isCleanBesidesTime, type Verdict } from "./checker/verdict.ts"
import { report } from "./report/report.ts"
import { run } from "./run.ts"

const HELP = `torture [--engines embedded|cluster] [--minutes N] [--seed S] [--folder DIR] [--attackers N] [--untimed] [--bugs [quick|WORD]]

  --engines   what the system runs on; embedded where nothing is said
  --minutes   for how long things go wrong; 2 where nothing is said
  --seed      decides what goes wrong, and what everyone does; a new one where nothing is said
  --folder    where history, logs and picture go; cli/torture/results/<time> otherwise
  --attackers so many accounts beside the others flood, bomb, spam and guess passwords; none where nothing is said
  --untimed   how soon everyone had caught up, or heard, is told and not judged, only that they did: for machines that
              others use, too
  --bugs      plants each of the known bugs in turn, to see the checker catch it; quick: those that
              show soonest; a word: those that have it in their name
`

interface Arguments {
  engines: Engines | undefined
  minutes: number
  seed: string
  folder: string
  attackers: number
  untimed: boolean
  bugs: readonly Bug[] | undefined
}

const say = (text: string) => process.stderr.write(`• ${text}\n`)

/**
 * One run with its verdict: people use a whole system while it is broken in every way, and a checker judges what they
 * saw. With `--bugs` the checker is what is tested.
 * @returns 0 where everything held (or every bug was caught), 1 where not, 2 where the arguments make no sense
 */
export async function torture(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === "string") {
    process.stderr.write(given)
    return given === HELP ? 0 : 2
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
  mkdirSync(given.folder, { recursive: true })
  say(`seed ${given.seed}; everything goes to ${given.folder}`)
  if (given.bugs) {
    const judge = async (folder: string) => (await check(folder)).verdict
    const hunted = await hunt({ ...given, bugs: given.bugs, judge, say })
    process.stdout.write(reportHunt(hunted))
    if (hunted.length === 0) say("none of these bugs can be planted on these engines")
    return hunted.length > 0 && hunted.every(({ caught }) => caught) ? 0 : 1
  }
  const options = { ...given, engines: given.engines ?? "embedded" }
  say(`${options.minutes} min on ${options.engines}`)
  await run({ ...options, scale: { attackers: options.attackers }, say })
  say("checking")
  const { status, verdict } = await check(options.folder)
  process.stdout.write(await report(options, verdict))
  return given.untimed && isCleanBesidesTime(verdict) ? 0 : status
}

/** Has the checker, a program of its own, judge a run's folder. */
async function check(folder: string): Promise<{ status: number; verdict: Verdict }> {
  const child = Bun.spawn(
    [process.execPath, "--no-orphans", inRoot("cli/torture/checker/main.ts"), folder],
    { cwd: ROOT, stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  )
  const status = await child.exited
  return { status, verdict: (await Bun.file(join(folder, "verdict.json")).json()) as Verdict }
}

function readArguments(args: string[]): Arguments | string {
  const given: Arguments = {
    engines: undefined,
    minutes: 2,
    seed: crypto.randomUUID().slice(0, 8),
    folder: inRoot("cli/torture/results", new Date().toISOString().replaceAll(":", "-")),
    attackers: 0,
    untimed: false,
    bugs: undefined,
  }
  for (let i = 0; i < args.length; i++) {
    const name = args[i]
    if (name === "--help" || name === "-h") return HELP
    if (name === "--untimed") {
      given.untimed = true
      continue
    }
    if (name === "--bugs") {
      const which = args[i + 1]?.startsWith("--") ? undefined : args[i + 1]
      given.bugs = BUGS.filter(({ name, quick }) =>
        which === "quick" ? quick : name.includes(which ?? ""),
      )
      if (which) i += 1
      if (given.bugs.length === 0) return `No bug is called "${which}".\n\n${HELP}`
      continue
    }
    i += 1
    const value = args[i]
    if (value === undefined) return `${name} needs a value.\n\n${HELP}`
    if (name === "--engines" && (value === "embedded" || value === "cluster")) given.engines = value
    else if (name === "--minutes" && Number(value) > 0) given.minutes = Number(value)
    else if (name === "--seed") given.seed = value
    else if (name === "--attackers" && /^\d{1,2}$/.test(value)) given.attackers = Number(value)
    else if (name === "--folder") given.folder = value
    else return `"${name} ${value}" is not understood.\n\n${HELP}`
  }
  return given
}

if (import.meta.main) process.exit(await torture(process.argv.slice(2)))
