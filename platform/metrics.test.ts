import { describe, expect, spyOn, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { ConfigError } from "./config.ts"
import { type LogFields, silentLogger } from "./log.ts"
import { createMetrics, type Metrics } from "./metrics.ts"
import { openMetrics } from "./metrics-server.ts"

/** The samples of one metric, as they are written. */
const samples = (metrics: Metrics, name: string) =>
  metrics
    .text()
    .split("\n")
    .filter((line) => line.startsWith(name))

describe("the text", () => {
  test("has what Prometheus wants, metric by metric", () => {
    const metrics = createMetrics()
    metrics.counter("parley_sent_total", "What was sent.").inc()
    metrics.gauge("parley_waiting", "What waits,\nin a \\ queue.", () => 3)
    expect(metrics.text()).toBe(
      [
        "# HELP parley_sent_total What was sent.",
        "# TYPE parley_sent_total counter",
        "parley_sent_total 1",
        "# HELP parley_waiting What waits,\\nin a \\\\ queue.",
        "# TYPE parley_waiting gauge",
        "parley_waiting 3",
        "",
      ].join("\n"),
    )
  })

  test("counts by label, each combination by itself", () => {
    const metrics = createMetrics()
    const operations = metrics.counters("parley_operations_total", "", ["kind", "code"])
    operations.of("query", "OK").inc()
    operations.of("query", "OK").inc(2)
    operations.of("query", 'a "code"\n').inc()
    expect(samples(metrics, "parley_operations_total")).toEqual([
      'parley_operations_total{kind="query",code="OK"} 3',
      'parley_operations_total{kind="query",code="a \\"code\\"\\n"} 1',
    ])
  })

  test("adds a histogram's buckets up", () => {
    const metrics = createMetrics()
    const took = metrics.histograms("took_seconds", "", [0.1, 1], ["operation"]).of("append")
    for (const seconds of [0.05, 0.1, 0.5, 7]) took.observe(seconds)
    expect(samples(metrics, "took_seconds")).toEqual([
      'took_seconds_bucket{operation="append",le="0.1"} 2',
      'took_seconds_bucket{operation="append",le="1"} 3',
      'took_seconds_bucket{operation="append",le="+Inf"} 4',
      'took_seconds_sum{operation="append"} 7.65',
      'took_seconds_count{operation="append"} 4',
    ])
  })

  test("reads gauges when it is asked for, by label where there are several", () => {
    const metrics = createMetrics()
    let live = 1
    metrics.gauge("parley_sessions", "", () => ({ live, replaying: 2 }), "phase")
    metrics.total("parley_seen_total", "", () => live * 10)
    live = 5
    expect(samples(metrics, "parley_")).toEqual([
      'parley_sessions{phase="live"} 5',
      'parley_sessions{phase="replaying"} 2',
      "parley_seen_total 50",
    ])
  })
})

test("labels cannot make it grow without end", () => {
  const metrics = createMetrics()
  const counters = metrics.counters("parley_codes_total", "", ["code"])
  for (let i = 0; i < 1_000; i++) counters.of(`code ${i}`).inc()
  const lines = samples(metrics, "parley_codes_total")
  expect(lines).toHaveLength(201)
  expect(lines).toContain('parley_codes_total{code="other"} 800')
})

test("a name is given once, and is one that Prometheus takes", () => {
  const metrics = createMetrics()
  metrics.counter("parley_sent_total", "")
  expect(() => metrics.gauge("parley_sent_total", "", () => 0)).toThrow("parley_sent_total")
  expect(() => metrics.counter("parley-sent", "")).toThrow("parley-sent")
})

describe("the private port", () => {
  function open(port = 0) {
    let url = ""
    const log = {
      ...silentLogger,
      info: (_: string, fields?: LogFields) => {
        url = String(fields?.url)
      },
    }
    const metrics = openMetrics({ port, host: "127.0.0.1" }, log)!
    return { ...metrics, url, [Symbol.dispose]: metrics[Symbol.dispose] }
  }

  test("serves the metrics, and those of the process", async () => {
    using metrics = open()
    metrics.counter("parley_sent_total", "What was sent.").inc()
    const response = await fetch(metrics.url)
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4")
    const text = await response.text()
    expect(text).toContain("\nparley_sent_total 1\n")
    expect(text).toMatch(/\nprocess_resident_memory_bytes [1-9]\d{6,}\n/)
    const startedAt = Number(/\nprocess_start_time_seconds (\S+)/.exec(text)?.[1])
    expect(Math.abs(startedAt - Date.now() / 1_000)).toBeLessThan(3_600)
    expect((await fetch(new URL("/", metrics.url))).status).toBe(404)
  })

  test("shows for how long the event loop stood still", async () => {
    using metrics = open()
    const count = (le: string) => {
      const name = `parley_event_loop_delay_seconds_bucket{le="${le}"}`
      return Number(samples(metrics, name)[0]?.split(" ")[1])
    }
    const stalls = () => count("+Inf") - count("0.1")
    const before = stalls()
    Bun.sleepSync(250)
    await until(() => stalls() > before, "the stall to show")
  })

  test("is not opened where none is configured, and nothing is counted", () => {
    const serving = spyOn(Bun, "serve")
    expect(openMetrics(undefined, silentLogger)).toBeUndefined()
    expect(serving).not.toHaveBeenCalled()
    serving.mockRestore()
  })

  test("that is taken is a sentence", () => {
    using metrics = open()
    const port = Number(new URL(metrics.url).port)
    expect(() => open(port)).toThrow(ConfigError)
    expect(() => open(port)).toThrow("METRICS_PORT cannot be used: ")
  })
})

test("of one name are 200 series, and the rest is counted as one", () => {
  const metrics = createMetrics()
  const counter = metrics.counters("parley_of_many_total", "Of many.", ["kind"])
  for (let i = 0; i < 300; i++) counter.of(`${i}`).inc()
  const lines = samples(metrics, "parley_of_many_total{")
  expect(lines).toHaveLength(201)
  expect(lines).toContain('parley_of_many_total{kind="other"} 100')
})
