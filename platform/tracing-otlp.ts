import {
  type Context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { resourceFromAttributes } from "@opentelemetry/resources"
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace"
import type { Logger } from "./log.ts"
import type { TracesConfig } from "./observability.ts"
import { isTraceparent } from "./request-context.ts"
import type { SpanRole, Tracer } from "./tracing.ts"

const KINDS: Record<SpanRole, SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** Spans kept for a collector that is slow or away: some seconds' worth. Spans beyond it are dropped. */
const MAX_WAITING = 8_192
/** How long a stop waits for the collector to take the rest, in ms. */
const FLUSH_WITHIN = 1_000

/**
 * Traces by OpenTelemetry's SDK, sent to a collector in batches (OTLP over HTTP, JSON). The exporter reads its further
 * standard variables (headers, compression, certificates) by itself.
 */
export function createOtlpTracer(service: string, config: TracesConfig, log: Logger): Tracer {
  const exporter = sayingFailures(new OTLPTraceExporter({ url: tracesUrl(config.endpoint) }), log)
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": config.serviceName ?? `parley-${service}`,
      "service.instance.id": crypto.randomUUID(),
    }),
    sampler: samplerOf(config),
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: MAX_WAITING })],
  })
  const tracer = provider.getTracer("parley")

  return {
    begin(name, kind, parent, attributes, beganAt) {
      const options = { kind: KINDS[kind], attributes, startTime: beganAt }
      const span = tracer.startSpan(name, options, contextOf(parent))
      return {
        traceparent: traceparentOf(span.spanContext()),
        end(failure) {
          if (failure !== undefined) {
            span.setStatus({ code: SpanStatusCode.ERROR, message: failure })
          }
          span.end()
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.race([provider.shutdown().catch(() => {}), Bun.sleep(FLUSH_WITHIN)])
    },
  }
}

const tracesUrl = (endpoint: string) => `${endpoint.replace(/\/$/, "")}/v1/traces`

function samplerOf({ sampler, ratio }: TracesConfig): Sampler {
  const roots: Record<string, () => Sampler> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  }
  const root = roots[sampler.replace(/^parentbased_/, "")]!()
  return sampler.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root
}

/** Says once that the collector takes nothing, and once that it does again. */
function sayingFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined
        if (failed && !failing) log.warn("traces cannot be sent", { error: result.error })
        if (!failed && failing) log.info("traces are sent again")
        failing = failed
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}

function contextOf(parent: string | undefined): Context {
  if (!isTraceparent(parent)) return ROOT_CONTEXT
  const [, traceId, spanId, flags] = parent.split("-") as [string, string, string, string]
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
}

const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext) =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`
