import type { GatewayMetrics } from "./metrics.ts"
import type { Tracing } from "./tracing.ts"

/** Who is told of what passes, for logs, traces and figures; nobody, as a rule. */
export interface Watchers {
  tracing?: Tracing
  figures?: GatewayMetrics
}
