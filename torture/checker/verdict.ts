import { check } from "./check.ts"
import type { Evidence } from "./evidence.ts"
import { assemble } from "./logs.ts"
import { catchUps } from "./properties/recovery.ts"

/** What the checker leaves in `verdict.json`. */
export interface Verdict {
  /** Whether the history came to its end: without that nothing is shown. */
  complete: boolean
  properties: {
    name: string
    definition: string
    violations: number
    /** The first ones. */
    examples: { what: string; lines: number[] }[]
  }[]
  counts: {
    /** Distinct messages that were acknowledged. */
    acknowledged: number
    attempts: number
    /** Entries that readers were sent. */
    delivered: number
    subscriptions: number
    changes: number
    marks: number
    faults: number
  }
  /** In ms, in the order of the faults; null where somebody never caught up. */
  catchUps: { fault: number; name: string; alone: boolean; took: number | null }[]
}

const EXAMPLES = 10

export function judge(evidence: Evidence): Verdict {
  const logs = assemble(evidence)
  const acknowledged = new Set<string>()
  for (const { id, answer } of evidence.sends) if ("seq" in answer) acknowledged.add(id)
  let delivered = 0
  for (const { came } of evidence.subs) for (const { k } of came) if (k === "entry") delivered += 1
  return {
    complete: evidence.quiet !== undefined,
    properties: check(evidence, logs).map(({ property: { name, definition }, violations }) => ({
      ...{ name, definition, violations: violations.length },
      examples: violations.slice(0, EXAMPLES),
    })),
    counts: {
      acknowledged: acknowledged.size,
      attempts: evidence.sends.length,
      delivered,
      subscriptions: evidence.subs.length,
      changes: evidence.changes.filter(({ answer }) => "ok" in answer).length,
      marks: evidence.marks.filter(({ answer }) => "read" in answer).length,
      faults: evidence.faults.length,
    },
    catchUps: catchUps(evidence, logs).map(({ fault: { fault, name, alone }, took }) => ({
      ...{ fault, name, alone, took: Number.isFinite(took) ? took : null },
    })),
  }
}

/** True where the history is complete and nothing in it is wrong. */
export const isClean = ({ complete, properties }: Verdict): boolean =>
  complete && properties.every(({ violations }) => violations === 0)
