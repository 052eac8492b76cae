import type { Child } from "@parley/testing/child.ts"
import { cpuMicros } from "@parley/testing/processes.ts"
import { type Summary, summary } from "./stats.ts"

/** What one round of work cost. */
export interface Sample {
  operations: number
  seconds: number
  /** CPU time by process, in µs. */
  cpu: Record<string, number>
}

export interface Work {
  operations: number
  seconds: number
}

/** Does some work and says what CPU time the processes spent meanwhile. */
export async function measure(
  processes: readonly Pick<Child, "name" | "pid">[],
  work: () => Promise<Work>,
): Promise<Sample> {
  const before = processes.map(({ pid }) => cpuMicros(pid))
  const { operations, seconds } = await work()
  const cpu = Object.fromEntries(
    processes.map(({ name, pid }, index) => [name, cpuMicros(pid) - before[index]!]),
  )
  return { operations, seconds, cpu }
}

/**
 * Rounds of each contender in turn, in this order and then in the reverse: whatever else the machine does meanwhile
 * falls on all of them alike.
 */
export async function inTurn<K extends string, T>(
  rounds: number,
  contenders: Record<K, () => Promise<T>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(contenders) as K[]
  const results = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<K, T[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      results[name].push(await contenders[name]())
    }
  }
  return results
}

/** CPU time per operation over the named processes, in µs, of each round. */
export const cpuPerOperation = (samples: readonly Sample[], processes?: readonly string[]) =>
  samples.map(({ cpu, operations }) => {
    const names = processes ?? Object.keys(cpu)
    return names.reduce((sum, name) => sum + cpu[name]!, 0) / operations
  })

/** Operations per second, of each round. */
export const rate = (samples: readonly Sample[]) =>
  samples.map(({ operations, seconds }) => operations / seconds)

/** How one figure compares with another, round by round: both were taken one right after the other. */
export const ratios = (of: readonly number[], to: readonly number[]): Summary =>
  summary(of.map((value, round) => value / to[round]!))
