import { ParleyError } from "./errors.ts"
import { LATENCY, type Metrics } from "./metrics.ts"

type Operation = (...args: never[]) => Promise<unknown>

/**
 * A port with these of its operations timed, and their failures counted. A refusal with a code of ours other than
 * UNAVAILABLE is an answer and no failure.
 */
export function timed<Port extends object>(
  port: Port,
  operations: readonly (keyof Port & string)[],
  { took, failures }: Timings,
): Port {
  const watched = Object.create(port)
  for (const name of operations) {
    const operation = port[name] as Operation
    const time = took.of(name)
    const failed = failures.of(name)
    watched[name] = (...args: never[]) => {
      const beganAt = performance.now()
      const end = () => time.observe((performance.now() - beganAt) / 1_000)
      return operation.apply(port, args).then(
        (result) => {
          end()
          return result
        },
        (error) => {
          end()
          if (!(error instanceof ParleyError) || error.code === "UNAVAILABLE") failed.inc()
          throw error
        },
      )
    }
  }
  return watched
}

/** The metrics of a service's store. */
export const storeTimings = (metrics: Metrics, service: string) => ({
  took: metrics.histograms(
    `parley_${service}_store_seconds`,
    "What the operations of the store took.",
    LATENCY,
    ["operation"],
  ),
  failures: metrics.counters(
    `parley_${service}_store_failures_total`,
    "Operations of the store that failed: it did not answer, or something is wrong.",
    ["operation"],
  ),
})
export type Timings = ReturnType<typeof storeTimings>
