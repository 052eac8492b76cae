import { ConfigError } from "./config.ts"
import type { Logger } from "./log.ts"
import { createMetrics, LATENCY, type Metrics } from "./metrics.ts"
import type { MetricsConfig } from "./observability.ts"

/** How late a timer has to be looked at, in ms: often enough to see every stall, and too rarely to be felt. */
const LOOK_EVERY = 50

/**
 * Serves metrics at `/metrics`, on a port for Prometheus alone, with those of the process itself among them.
 * Undefined without a configured port: then the process counts nothing.
 * @param readyz answers `/readyz` at that port, in more detail than at a public one
 * @throws ConfigError where the port cannot be had.
 */
export function openMetrics(
  config: MetricsConfig | undefined,
  log: Logger,
  readyz?: () => Promise<Response>,
): (Metrics & Disposable) | undefined {
  if (!config) return undefined
  const metrics = createMetrics()
  const server = listen(metrics, config, readyz)
  const stopLooking = watchProcess(metrics)
  log.info("metrics", { url: `http://${config.host}:${server.port}/metrics` })
  return {
    ...metrics,
    [Symbol.dispose]() {
      stopLooking()
      void server.stop(true)
    },
  }
}

function listen(
  metrics: Metrics,
  { port, host }: MetricsConfig,
  readyz: (() => Promise<Response>) | undefined,
) {
  try {
    return Bun.serve({
      port,
      hostname: host,
      reusePort: false,
      fetch(request) {
        const { pathname } = new URL(request.url)
        if (pathname === "/readyz" && readyz) return readyz()
        if (pathname !== "/metrics") {
          return new Response("The metrics are at /metrics.\n", { status: 404 })
        }
        return new Response(metrics.text(), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        })
      },
    })
  } catch (error) {
    throw new ConfigError(`METRICS_PORT cannot be used: ${(error as Error).message}`)
  }
}

/** Metrics of the process, under the names that Prometheus' clients have for them. Returns what ends the watch. */
function watchProcess(metrics: Metrics): () => void {
  const startedAt = performance.timeOrigin / 1_000
  metrics.gauge(
    "process_start_time_seconds",
    "When the process began, since the epoch.",
    () => startedAt,
  )
  metrics.total("process_cpu_seconds_total", "CPU time, of user and system.", () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.gauge("process_resident_memory_bytes", "Memory in RAM.", () => process.memoryUsage.rss())
  const delay = metrics.histogram(
    "parley_event_loop_delay_seconds",
    "How late a timer was, looked at 20 times a second: how long everything else waited.",
    LATENCY,
  )
  let due = performance.now() + LOOK_EVERY
  const looking = setInterval(() => {
    const now = performance.now()
    delay.observe(Math.max(0, now - due) / 1_000)
    due = now + LOOK_EVERY
  }, LOOK_EVERY)
  looking.unref()
  return () => clearInterval(looking)
}
