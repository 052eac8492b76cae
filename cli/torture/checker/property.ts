import type { Evidence } from "./evidence.ts"
import type { Logs } from "./logs.ts"

/** A counterexample. */
export interface Violation {
  what: string
  /** Where it is to be seen in `history.jsonl`. */
  lines: number[]
}

/** Something that must hold of every history. */
export interface Property {
  name: string
  /** What exactly must hold. */
  definition: string
  check(evidence: Evidence, logs: Logs): Violation[]
}
