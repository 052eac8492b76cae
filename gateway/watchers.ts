import type { GatewayMetrics } from "./metrics.ts"
import type { Trail } from "./trail.ts"

/** Who is told of what passes, for logs, traces and figures; nobody, as a rule. */
export interface Watchers {
  trail?: Trail
  figures?: GatewayMetrics
}
