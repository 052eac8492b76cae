import { writeFileSync } from "node:fs"
import { allAtOnce } from "./at-once.ts"
import type { Attack, Variant } from "./attack.ts"
import { ATTACKS } from "./catalogue.ts"
import { carryOut, startBystanders } from "./helper.ts"
import { heading, line, rest as restLine } from "./report.ts"
import { type Engines, type Memory, SERVICES, type System, startSystem } from "./system.ts"
import { type Base, judge, type Ran } from "./verdict.ts"

const HELP = `attack [name…] [--engines embedded|cluster] [--seconds n] [--variant word] [--quick] [--at-once] [--json file]

  name        which classes of attacks; all where none is named: ${ATTACKS.map(({ name }) => name).join(", ")}
  --engines   what the system runs on; embedded where nothing is said
  --seconds   for how long each variant goes on; 10 where nothing is said, 15 at most
  --variant   only variants that have this word in their names
  --quick     what ./parley test runs: 2 s each, two variants of each class without those that wait for long, on a machine that others use, too
  --at-once   one variant of each class, all at the same time, while each service has the memory that
              compose.yaml gives it and no more (cgroups, where this user may make them)
  --json      where to leave the figures
`

interface Options {
  attacks: readonly Attack[]
  engines: Engines
  seconds: number
  word: string
  quick: boolean
  atOnce: boolean
  json: string | undefined
}

/** What the suite does to no machine: a service over this is ended. In bytes. */
const GUARD = 1.5 * 2 ** 30
const SAMPLE_EVERY = 100
const REST = 4_000
/** However soon an attack is over, the bystanders have the time to notice it. */
const AT_LEAST = 1_500
const MAX_SECONDS = 15
const QUICK_SECONDS = 2
/** How many variants of each class a quick run has the time for. */
const QUICK_VARIANTS = 2

const say = (text: string) => process.stderr.write(`• ${text}\n`)

/**
 * Attacks a whole Parley of its own, one variant after the other, beside a pair of innocent people.
 * @returns 0 where every attack came to nothing, 1 where one did not, 2 where the arguments make no sense
 */
export async function attack(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === "string") {
    process.stderr.write(options)
    return options === HELP ? 0 : 2
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
  if (options.atOnce) return allAtOnce({ ...options, say })
  const all: { ran: Ran; wrong: string[] }[] = []
  process.stdout.write(heading())
  // What one attack leaves in memory must not be counted against the next; a quick run has the time for one system.
  const rounds = options.quick ? [options.attacks] : options.attacks.map((one) => [one])
  for (const attacks of rounds) all.push(...(await round(attacks, options)))
  const bad = all.filter(({ wrong }) => wrong.length > 0)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`)
  process.stdout.write(`\n${all.length - bad.length} of ${all.length} attacks came to nothing\n`)
  return bad.length === 0 && all.length > 0 ? 0 : 1
}

function variantsOf({ variants }: Attack, { engines, quick, word }: Options): Variant[] {
  const fitting = variants.filter(
    ({ name, slow, embeddedOnly }) =>
      name.includes(word) && !(quick && slow) && !(embeddedOnly && engines === "cluster"),
  )
  return quick ? fitting.slice(0, QUICK_VARIANTS) : fitting
}

/** Some attacks on one system. */
async function round(attacks: readonly Attack[], options: Options) {
  const all: { ran: Ran; wrong: string[] }[] = []
  if (attacks.every((attack) => variantsOf(attack, options).length === 0)) return all
  await using system = await startSystem(options.engines)
  await system.ready()
  const bystanders = await startBystanders(system.urls)
  try {
    await warmUp(system)
    await bystanders.begin()
    await Bun.sleep(REST)
    const base: Base = {
      rest: await bystanders.end(),
      idle: system.memory(),
      shared: options.quick,
    }
    process.stdout.write(restLine(base))
    for (const attack of attacks) {
      for (const variant of variantsOf(attack, options)) {
        const ran = await one(attack, variant, system, bystanders, options)
        const wrong = judge(ran, base, attack.hashing === true)
        all.push({ ran, wrong })
        process.stdout.write(line(ran, wrong))
      }
    }
  } finally {
    await bystanders.close()
  }
  return all
}

/** Idle memory is that of services that have done some work: code is compiled, pages are rendered. */
async function warmUp({ urls }: System): Promise<void> {
  for (let i = 0; i < 200; i++) await (await fetch(`${urls[i % urls.length]}/sign-in`)).text()
}

async function one(
  attack: Attack,
  variant: Variant,
  system: System,
  bystanders: Awaited<ReturnType<typeof startBystanders>>,
  { seconds }: Options,
): Promise<Ran> {
  const incidents: string[] = []
  const peak = system.memory()
  const timer = setInterval(() => watch(system, peak, incidents), SAMPLE_EVERY)
  await bystanders.begin()
  const lasts = variant.needs ?? seconds * 1_000
  const { urls, dataDir } = system
  const target = { urls, lasts, dataDir, publicUrl: urls[0]!.replace("127.0.0.1", "localhost") }
  const [outcome] = await Promise.all([
    carryOut(attack.name, variant.name, target),
    Bun.sleep(AT_LEAST),
  ])
  await restore(system, incidents)
  const suffered = await bystanders.end()
  clearInterval(timer)
  await system.ready()
  return { attack: attack.name, variant: variant.name, outcome, suffered, peak, incidents }
}

function watch(system: System, peak: Memory, incidents: string[]): void {
  const now = system.memory()
  for (const service of SERVICES) {
    peak[service] = Math.max(peak[service], now[service])
    if (now[service] <= GUARD) continue
    system.kill(service, GUARD)
    incidents.push(`${service} took over ${GUARD / 2 ** 30} GiB and was ended by the suite`)
  }
}

/** A gateway that hangs would hang for all attacks that follow. */
async function restore(system: System, incidents: string[]): Promise<void> {
  if (await system.lives()) return
  incidents.push(
    "a gateway does not answer /healthz within 5 s after the attack, and was ended by the suite",
  )
  system.kill("gateway")
  await system.ready()
}

function readOptions(args: string[]): Options | string {
  const options: Options = {
    ...{ attacks: ATTACKS, engines: "embedded", seconds: 10, word: "" },
    ...{ quick: false, atOnce: false, json: undefined },
  }
  const names: string[] = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--help" || arg === "-h") return HELP
    if (arg === "--quick") {
      Object.assign(options, { quick: true, seconds: QUICK_SECONDS })
    } else if (arg === "--at-once") options.atOnce = true
    else if (!arg.startsWith("--")) names.push(arg)
    else {
      i += 1
      const value = args[i] ?? ""
      if (arg === "--engines" && (value === "embedded" || value === "cluster"))
        options.engines = value
      else if (arg === "--seconds" && Number(value) > 0 && Number(value) <= MAX_SECONDS)
        options.seconds = Number(value)
      else if (arg === "--variant" && value !== "") options.word = value
      else if (arg === "--json" && value !== "") options.json = value
      else return `"${arg} ${value}" is not understood.\n\n${HELP}`
    }
  }
  const unknown = names.find((name) => !ATTACKS.some((attack) => attack.name === name))
  if (unknown) return `There is no attack "${unknown}".\n\n${HELP}`
  if (names.length > 0) options.attacks = ATTACKS.filter(({ name }) => names.includes(name))
  return options
}

if (import.meta.main) {
  say("everything that this suite speaks to is on this machine")
  process.exit(await attack(process.argv.slice(2)))
}
