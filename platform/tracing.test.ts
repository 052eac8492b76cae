import { describe, expect, test } from "bun:test"
import { startCollector } from "@parley/testing/collector.ts"
import { silentLogger } from "./log.ts"
import type { TracesConfig } from "./observability.ts"
import { isTraceparent } from "./request-context.ts"
import { openTracer, type Tracer } from "./tracing.ts"

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
const parent = (flags: string) => `00-${TRACE}-00f067aa0ba902b7-${flags}`

const config = (endpoint: string, more: Partial<TracesConfig> = {}): TracesConfig => ({
  endpoint,
  sampler: "parentbased_always_on",
  ratio: 1,
  serviceName: undefined,
  ...more,
})

async function open(endpoint: string, more: Partial<TracesConfig> = {}): Promise<Tracer> {
  const tracer = await openTracer("chat", config(endpoint, more), silentLogger)
  if (!tracer) throw new Error("there is no tracer")
  return tracer
}

test("nothing is loaded where no collector is named", async () => {
  const script = `
    const { openTracer } = await import("./tracing.ts")
    const tracer = await openTracer("chat", undefined, {})
    const loaded = Object.keys(require.cache).filter((path) => path.includes("opentelemetry"))
    console.log(JSON.stringify([typeof tracer, loaded.length]))`
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: import.meta.dir })
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual(["undefined", 0])
})

describe("spans", () => {
  test("follow each other across processes, by traceparent alone", async () => {
    using collector = startCollector()
    const gateway = await open(`${collector.url}/`, { serviceName: "front" })
    const chat = await open(collector.url)
    const first = gateway.begin("mutation", "server", undefined)
    expect(isTraceparent(first.traceparent)).toBe(true)
    const second = chat.begin("append", "internal", first.traceparent, { seq: 7, id: "m" })
    second.end("UNAVAILABLE")
    first.end()
    await gateway[Symbol.asyncDispose]()
    await chat[Symbol.asyncDispose]()
    const [one, two] = ["mutation", "append"].map((name) =>
      collector.spans.find((span) => span.name === name),
    )
    expect(one).toMatchObject({ service: "front", parentSpanId: undefined, status: 0 })
    expect(two).toMatchObject({
      service: "parley-chat",
      traceId: one!.traceId,
      parentSpanId: one!.spanId,
      attributes: { seq: 7, id: "m" },
      status: 2,
    })
    expect(second.traceparent).toBe(`00-${two!.traceId}-${two!.spanId}-01`)
  })

  test("may be told of when they are over", async () => {
    using collector = startCollector()
    const tracer = await open(collector.url)
    const now = Date.now()
    tracer.begin("append", "internal", undefined, {}, performance.now() - 5_000).end()
    await tracer[Symbol.asyncDispose]()
    const [span] = collector.spans
    const lasted = Number(span!.ended - span!.began) / 1e6
    expect(lasted).toBeWithin(5_000, 6_000)
    expect(Math.abs(Number(span!.ended) / 1e6 - now)).toBeLessThan(1_000)
  })

  test("begin a trace of their own where the parent makes no sense", async () => {
    using collector = startCollector()
    const tracer = await open(collector.url)
    tracer.begin("mutation", "server", "00-not-a-parent").end()
    await tracer[Symbol.asyncDispose]()
    expect(collector.spans).toMatchObject([{ parentSpanId: undefined }])
  })
})

describe("what is kept", () => {
  /** The names of the spans that the collector is sent: one of a new trace, one of a kept trace, one of another. */
  async function kept(more: Partial<TracesConfig>): Promise<string[]> {
    using collector = startCollector()
    const tracer = await open(collector.url, more)
    for (const [name, of] of [
      ["new", undefined],
      ["of a kept one", parent("01")],
      ["of one not kept", parent("00")],
    ] as const) {
      const span = tracer.begin(name, "server", of)
      // The next span is told whether the trace is kept.
      if (of) expect(span.traceparent).toStartWith(`00-${TRACE}-`)
      span.end()
    }
    await tracer[Symbol.asyncDispose]()
    return collector.spans.map(({ name }) => name)
  }

  test.each([
    ["parentbased_always_on", 1, ["new", "of a kept one"]],
    ["parentbased_always_off", 1, ["of a kept one"]],
    ["parentbased_traceidratio", 0, ["of a kept one"]],
    ["always_on", 1, ["new", "of a kept one", "of one not kept"]],
    ["always_off", 1, []],
    ["traceidratio", 0, []],
    ["traceidratio", 1, ["new", "of a kept one", "of one not kept"]],
  ] as const)("%s, ratio %p", async (sampler, ratio, names) => {
    expect(await kept({ sampler, ratio })).toEqual([...names])
  })
})

test("a collector that is away delays nothing, not even the end, and is complained of once", async () => {
  using collector = startCollector()
  collector.knobs.status = 400
  const said: string[] = []
  const log = { ...silentLogger, warn: (event: string) => void said.push(event) }
  const tracer = (await openTracer("chat", config(collector.url), log))!
  for (let i = 0; i < 2_000; i++) tracer.begin("append", "internal", undefined).end()
  const began = performance.now()
  await tracer[Symbol.asyncDispose]()
  expect(performance.now() - began).toBeLessThan(3_000)
  expect(collector.knobs.requests).toBeGreaterThan(1)
  expect(said).toEqual(["traces cannot be sent"])
})
