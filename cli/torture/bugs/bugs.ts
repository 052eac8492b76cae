import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Verdict } from "../checker/verdict.ts"
import { run } from "../run.ts"
import type { Bug } from "./bug.ts"

export type Engines = "embedded" | "cluster"

export interface HuntOptions {
  bugs: readonly Bug[]
  /** Where each bug's run has a folder. */
  folder: string
  seed: string
  /** Where to plant them; undefined: each where it is caught soonest. */
  engines: Engines | undefined
  /** Has the checker judge a run's folder. */
  judge(folder: string): Promise<Verdict>
  say(text: string): void
}

/** A system with a bug may never come to rest; in ms. */
const PATIENCE = 4_000
/** The longest of a bug's runs, in those that it has at first. */
const MAX_TIMES = 4

export interface Hunted {
  bug: Bug
  engines: Engines
  /** The properties that were violated. */
  violated: { name: string; violations: number; example: string }[]
  /** One of those that it had to violate was. */
  caught: boolean
  /** How long the run took, with its verdict, in s. */
  took: number
}

/** Plants each bug in a system of its own, has people use it, and sees what the checker says. */
export async function hunt(options: HuntOptions): Promise<Hunted[]> {
  const hunted: Hunted[] = []
  for (const bug of options.bugs) {
    const engines = options.engines ?? (bug.patches.embedded ? "embedded" : "cluster")
    if (!bug.patches[engines]) continue
    options.say(`planting: ${bug.name} (${engines})`)
    hunted.push(await huntOne(bug, engines, options))
  }
  return hunted
}

/** On a busy machine little happens in a run: whatever was not caught is hunted again, for twice as long. */
async function huntOne(bug: Bug, engines: Engines, options: HuntOptions): Promise<Hunted> {
  const began = performance.now()
  let hunted: Omit<Hunted, "took">
  for (let times = 1; ; times *= 2) {
    const name = `${bug.name} ${times > 1 ? times : ""}`.trim().replaceAll(/\W+/g, "-")
    hunted = await huntOnce(bug, engines, times, join(options.folder, name), options)
    if (hunted.caught || times === MAX_TIMES) break
  }
  return { ...hunted, took: (performance.now() - began) / 1000 }
}

async function huntOnce(
  bug: Bug,
  engines: Engines,
  times: number,
  folder: string,
  options: HuntOptions,
): Promise<Omit<Hunted, "took">> {
  mkdirSync(folder, { recursive: true })
  const { minutes, last, scale } = bug.run
  await run({
    ...{ engines, minutes: minutes * times, scale, folder, faults: [], last: last?.[engines] },
    ...{ bug: bug.name, seed: options.seed, say: options.say },
    patience: PATIENCE,
  })
  const { properties } = await options.judge(folder)
  const violated = properties
    .filter(({ violations }) => violations > 0)
    .map(({ name, violations, examples }) => ({ name, violations, example: examples[0]!.what }))
  return {
    ...{ bug, engines, violated },
    caught: violated.some(({ name }) => bug.caughtBy.includes(name)),
  }
}

/** What came of it, for the terminal. */
export function report(hunted: readonly Hunted[]): string {
  const lines = hunted.flatMap(({ bug, engines, violated, caught, took }) => [
    `  ${caught ? "✓" : "✗"} ${bug.name.padEnd(36)} ${engines.padEnd(9)} ${caught ? "caught" : "NOT caught"} in ${took.toFixed(0)} s`,
    ...violated.map(
      ({ name, violations, example }) =>
        `      ${name}: ${violations} violations, such as: ${example}`,
    ),
  ])
  return `\n${lines.join("\n")}\n\n`
}
