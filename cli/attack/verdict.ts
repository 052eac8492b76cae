import type { Outcome } from "./attack.ts"
import type { Suffered } from "./pair.ts"
import { type Memory, SERVICES, type Service } from "./system.ts"

const MIB = 2 ** 20

/** How late a message between bystanders may be while others attack, at p99, in ms. */
export const P99 = 250
/** The same while hashing is what is flooded: it takes a core by design. */
export const P99_WHILE_HASHING = 1_000
/** On a machine that others use, too, the figure at rest counts so many times, and a second is always granted. */
const TIMES_AT_REST = 8
const GRANTED = 1_000
/** For how long something may be late (over 1 s) there, and while hashing is flooded, in ms. */
const LATE = 1_500

/**
 * What a service takes at most beside its code, in bytes: the caches, queues and buffers of docs/limits.md that fill at the
 * same time. docs/security.md has the addends.
 */
export const CACHES: Memory = {
  gateway: 320 * MIB,
  auth: 104 * MIB,
  chat: 352 * MIB,
  web: 128 * MIB,
}
export const IDLE_TIMES = 1.5

/** A variant that was carried out, and how it was for everyone. */
export interface Ran {
  attack: string
  variant: string
  outcome: Outcome
  suffered: Suffered
  /** The most that each service took meanwhile. */
  peak: Memory
  /** What happened to the system beside: services that hung, or were ended for their memory. */
  incidents: string[]
}

export interface Base {
  rest: Suffered
  idle: Memory
  /** Whether others use the machine: lateness is then judged by the figure at rest. */
  shared: boolean
}

/** What a service may take at most, in bytes. */
export const mayTake = (service: Service, { idle }: Base): number =>
  idle[service] * IDLE_TIMES + CACHES[service]

/** What did not hold, in sentences; empty where the attack came to nothing. */
export function judge(ran: Ran, base: Base, hashing: boolean): string[] {
  const { outcome, suffered, peak, incidents } = ran
  const wrong = [...incidents, ...outcome.broken]
  const say = (isWrong: boolean, what: string) => {
    if (isWrong) wrong.push(what)
  }
  say(suffered.sent === 0, "the bystanders sent nothing")
  say(suffered.cuts > 0, `bystanders were cut ${suffered.cuts} times (${suffered.why[0]})`)
  say(suffered.lost > 0, `${suffered.lost} messages of bystanders were lost`)
  say(suffered.doubled > 0, `${suffered.doubled} messages of bystanders came twice`)
  say(suffered.disordered > 0, `${suffered.disordered} events came out of order`)
  const refused = Object.entries(suffered.refusedSends)
  say(refused.length > 0, `sends of bystanders failed: ${counted(refused)}`)
  const signIns = Object.entries(suffered.signIns.refused)
  say(signIns.length > 0, `sign-ins of bystanders failed: ${counted(signIns)}`)
  const bound = Math.max(
    hashing ? P99_WHILE_HASHING : P99,
    base.shared ? Math.max(GRANTED, base.rest.p99 * TIMES_AT_REST) : 0,
  )
  say(suffered.p99 > bound, `bystanders waited ${suffered.p99} ms at p99 (at most ${bound} ms)`)
  say(
    suffered.late > (base.shared || hashing ? LATE : 0),
    `bystanders were late for ${(suffered.late / 1_000).toFixed(1)} s`,
  )
  for (const service of SERVICES) {
    const most = mayTake(service, base)
    say(peak[service] > most, `${service} took ${mib(peak[service])} (at most ${mib(most)})`)
  }
  return wrong
}

const counted = (entries: [string, number][]) =>
  entries.map(([code, times]) => `${times} × ${code}`).join(", ")

export const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`
