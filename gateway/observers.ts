import type { GatewayMetrics } from "./metrics.ts"
import type { Tracing } from "./tracing.ts"

/** What is told of all that passes, for logs, traces and metrics; none of these is there as a rule. */
export interface Observers {
  tracing?: Tracing
  metrics?: GatewayMetrics
}
