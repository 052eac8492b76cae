import { LATENCY, type Metrics } from "@parley/platform/metrics.ts"
import { timed } from "@parley/platform/timed.ts"
import type { Operation } from "./operations/operation.ts"
import type { Upstreamed } from "./upstream/ask.ts"
import type { Pool } from "./upstream/pool.ts"

/** The metrics of a gateway; docs/observability.md says what each tells. */
export interface GatewayMetrics {
  /** An operation was answered; `outcome` is `OK` or an error code, `took` in ms. */
  answered(kind: Operation["kind"], outcome: string, took: number): void
  /** A request was refused before it was an operation, or before that was run. */
  refused(outcome: string): void
  /** A subscription was opened, or not: `OK` or an error code. */
  subscribed(outcome: string): void
  /** An event goes to so many subscriptions. */
  delivered(subscriptions: number): void
  /** The same pool, watched. */
  pool<S extends Upstreamed>(pool: Pool<S>): Pool<S>
}

export function createGatewayMetrics(metrics: Metrics): GatewayMetrics {
  const operations = metrics.counters(
    "parley_gateway_operations_total",
    "Operations by kind and outcome: OK, or the first error's code.",
    ["kind", "outcome"],
  )
  const took = metrics.histograms(
    "parley_gateway_operation_seconds",
    "From an operation's start to its answer.",
    LATENCY,
    ["kind"],
  )
  const delivered = metrics.counter(
    "parley_gateway_deliveries_total",
    "Events handed to subscriptions, one for each.",
  )
  const upstream = {
    took: metrics.histograms(
      "parley_gateway_upstream_seconds",
      "What subgraphs took to answer.",
      LATENCY,
      ["subgraph"],
    ),
    failures: metrics.counters(
      "parley_gateway_upstream_failures_total",
      "Questions to subgraphs without an answer.",
      ["subgraph"],
    ),
  }
  const pools: Pool<Upstreamed>[] = []
  const ofPools = (read: (pool: Pool<Upstreamed>) => number) => () =>
    Object.fromEntries(pools.map((pool) => [pool.subgraph, read(pool)]))
  const gauge = (name: string, help: string, read: (pool: Pool<Upstreamed>) => number) =>
    metrics.gauge(`parley_gateway_${name}`, help, ofPools(read), "subgraph")
  gauge("links_up", "Nodes being talked to.", (pool) => pool.nodes().filter(({ up }) => up).length)
  gauge(
    "links_down",
    "Known nodes that do not answer.",
    (pool) => pool.nodes().filter(({ up }) => !up).length,
  )
  gauge("upstream_requests", "Questions under way.", (pool) => pool.load().requests)
  gauge("subscriptions", "Subscriptions open.", (pool) => pool.load().subscriptions)
  gauge(
    "link_waiting_bytes",
    "Bytes waiting for nodes that read slowly.",
    (pool) => pool.load().waitingBytes,
  )

  return {
    answered(kind, outcome, ms) {
      operations.of(kind, outcome).inc()
      took.of(kind).observe(ms / 1_000)
    },
    refused: (outcome) => operations.of("none", outcome).inc(),
    subscribed: (outcome) => operations.of("subscription", outcome).inc(),
    delivered: (subscriptions) => delivered.inc(subscriptions),
    pool(pool) {
      pools.push(pool as unknown as Pool<Upstreamed>)
      const { subgraph } = pool
      return timed(pool, ["request"], {
        took: { of: () => upstream.took.of(subgraph) },
        failures: { of: () => upstream.failures.of(subgraph) },
      })
    },
  }
}
