import type { QueryPlan } from "@apollo/query-planner"
import { MAX_PLAN_CHARACTERS, MAX_PLANNED_CHARACTERS } from "../limits.ts"

/**
 * Whether a plan asks a subgraph with more text than it takes in one frame, or with too much in all: the planner opens
 * fragments wherever they are spread under a condition, so a plan may be much longer than its document.
 */
export function isTooLong(plan: QueryPlan): boolean {
  let total = 0

  /** Every node of a plan is an object with a `kind`; a fetch has its text in `operation`. */
  function hasTooMuch(node: unknown): boolean {
    if (typeof node !== "object" || node === null) return false
    if (Array.isArray(node)) return node.some(hasTooMuch)
    if ("kind" in node && node.kind === "Fetch" && "operation" in node) {
      const { length } = String(node.operation)
      total += length
      return length > MAX_PLANNED_CHARACTERS || total > MAX_PLAN_CHARACTERS
    }
    return Object.values(node).some(hasTooMuch)
  }

  return hasTooMuch(plan.node)
}
