import type { GatewayMetrics } from "./metrics.ts"
import type { Tracing } from "./tracing.ts"

/** Who is told of what passes, for logs, traces and metrics; nobody, as a rule. */
export interface Observers {
  tracing?: Tracing
  metrics?: GatewayMetrics
}
