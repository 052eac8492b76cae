import type { Attack } from "./attack.ts"
import { composeLimit, openCgroups } from "./cgroups.ts"
import { carryOut, startBystanders } from "./helper.ts"
import type { Suffered } from "./pair.ts"
import { type Engines, type Memory, SERVICES, type System, startSystem } from "./system.ts"
import { mib } from "./verdict.ts"

export interface AtOnceOptions {
  attacks: readonly Attack[]
  engines: Engines
  seconds: number
  say(text: string): void
}

const SAMPLE_EVERY = 100

/**
 * Carries out one variant of every class at the same time, while the kernel bounds the memory of each service as
 * compose.yaml does: none of them may be ended for its memory, and nothing may be lost. How late anything is, is told and
 * not judged: twenty attackers and the system share a few cores.
 * @returns 0 where that held
 */
export async function allAtOnce({
  attacks,
  engines,
  seconds,
  say,
}: AtOnceOptions): Promise<number> {
  using cgroups = openCgroups()
  await using system = await startSystem(engines)
  await system.ready()
  const bounded = holdAll(system, cgroups)
  say(
    cgroups
      ? `in cgroups as in compose.yaml: ${SERVICES.map((name) => `${name} ${mib(composeLimit(name))}`).join(", ")}`
      : "this user may not make cgroups: memory is measured, and judged by compose.yaml's limits",
  )
  const bystanders = await startBystanders(system.urls)
  const peak = system.memory()
  const timer = setInterval(() => {
    const now = system.memory()
    for (const service of SERVICES) peak[service] = Math.max(peak[service], now[service])
  }, SAMPLE_EVERY)
  let suffered: Suffered
  try {
    await bystanders.begin()
    const { urls, dataDir } = system
    const publicUrl = urls[0]!.replace("127.0.0.1", "localhost")
    const target = { urls, lasts: seconds * 1_000, dataDir, publicUrl }
    await Promise.all(
      attacks.map(async ({ name, variants }) => {
        const [variant] = variants.filter(({ slow }) => !slow)
        if (!variant) return
        const { counts } = await carryOut(name, variant.name, target)
        const answers = Object.entries(counts).map(([what, times]) => `${what} ${times}`)
        process.stdout.write(`  ${name.padEnd(16)} ${answers.join(", ")}\n`)
      }),
    )
    suffered = await bystanders.end()
  } finally {
    clearInterval(timer)
    await bystanders.close()
  }
  const wrong = [...endedOf(system, bounded), ...overOf(peak), ...lossesOf(suffered)]
  process.stdout.write(
    `\n  ${SERVICES.map((name) => `${name} ${mib(peak[name])}`).join(", ")} at most\n`,
  )
  process.stdout.write(`  bystanders: p99 ${suffered.p99} ms, cut ${suffered.cuts} times\n`)
  for (const what of wrong) process.stdout.write(`  ✗ ${what}\n`)
  if (wrong.length === 0) process.stdout.write("  ✓ every service stayed within its memory\n")
  return wrong.length === 0 ? 0 : 1
}

type Bounded = Map<number, string>

function holdAll(system: System, cgroups: ReturnType<typeof openCgroups>): Bounded {
  const bounded: Bounded = new Map()
  for (const service of SERVICES) {
    for (const pid of system.pidsOf(service)) {
      cgroups?.hold(pid, composeLimit(service))
      bounded.set(pid, service)
    }
  }
  return bounded
}

/** The kernel ends what cannot stay within its bound, and the launcher starts another one. */
function endedOf(system: System, bounded: Bounded): string[] {
  const alive = new Set(SERVICES.flatMap((service) => system.pidsOf(service)))
  return [...bounded].flatMap(([pid, service]) => (alive.has(pid) ? [] : [`${service} was ended`]))
}

const overOf = (peak: Memory): string[] =>
  SERVICES.filter((service) => peak[service] > composeLimit(service)).map(
    (service) => `${service} took ${mib(peak[service])} of ${mib(composeLimit(service))}`,
  )

const lossesOf = ({ lost, doubled, disordered }: Suffered): string[] =>
  lost + doubled + disordered === 0
    ? []
    : [`${lost} messages lost, ${doubled} doubled, ${disordered} out of order`]
