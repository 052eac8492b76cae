import { check } from "./check.ts"
import type { Evidence } from "./evidence.ts"
import { assemble } from "./logs.ts"
import { outage } from "./properties/outage.ts"
import { catchUps, recovery } from "./properties/recovery.ts"
import { thinness } from "./thinness.ts"

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
    /** Subscriptions that resumed from a position. */
    resumed: number
    /** Conversations that a reader was told to load anew. */
    reloaded: number
  }
  /** What too little happened of, in sentences: such a history shows nothing. */
  thin: string[]
  /** In ms, in the order of the faults; null where a person never caught up. */
  catchUps: { fault: number; name: string; alone: boolean; took: number | null }[]
}

const EXAMPLES = 10

/** What says how soon something is to have happened. */
const TIMED = new Set([recovery.name, outage.name])

export function judge(evidence: Evidence): Verdict {
  const logs = assemble(evidence)
  const acknowledged = new Set<string>()
  for (const { id, answer } of evidence.sends) if ("seq" in answer) acknowledged.add(id)
  let delivered = 0
  for (const { came } of evidence.subs) for (const { k } of came) if (k === "entry") delivered += 1
  const counts: Verdict["counts"] = {
    acknowledged: acknowledged.size,
    attempts: evidence.sends.length,
    delivered,
    subscriptions: evidence.subs.length,
    changes: evidence.changes.filter(({ answer }) => "ok" in answer).length,
    marks: evidence.marks.filter(({ answer }) => "read" in answer).length,
    faults: evidence.faults.length,
    resumed: evidence.subs.filter(({ open }) => Object.keys(open.after ?? {}).length > 0).length,
    reloaded: reloadsOf(evidence),
  }
  return {
    complete: evidence.quiet !== undefined,
    counts,
    thin: thinness(evidence, counts),
    properties: check(evidence, logs).map(({ property: { name, definition }, violations }) => ({
      ...{ name, definition, violations: violations.length },
      examples: violations.slice(0, EXAMPLES),
    })),
    catchUps: catchUps(evidence, logs).map(({ fault: { fault, name, alone }, took }) => ({
      ...{ fault, name, alone, took: Number.isFinite(took) ? took : null },
    })),
  }
}

/** Among all subscriptions. */
function reloadsOf({ subs }: Evidence): number {
  let reloads = 0
  for (const { came } of subs) {
    for (const event of came) if (event.k === "ready") reloads += event.reload.length
  }
  return reloads
}

/** True where the history is complete, enough happened in it, and nothing in it is wrong. */
export const isClean = ({ complete, thin, properties }: Verdict): boolean =>
  complete && thin.length === 0 && properties.every(({ violations }) => violations === 0)

/**
 * The same for a machine that others use, too: a reader may catch up or hear late, since other work decides how late, but no
 * reader may fail to catch up at all.
 */
export const isCleanBesidesTime = ({ complete, thin, properties, catchUps }: Verdict): boolean =>
  complete &&
  thin.length === 0 &&
  properties.every(({ name, violations }) => TIMED.has(name) || violations === 0) &&
  catchUps.every(({ alone, took }) => !alone || took !== null)
