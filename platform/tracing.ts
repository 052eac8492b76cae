import type { Logger } from "./log.ts"
import type { TracesConfig } from "./observability.ts"

/** What a span is to the one before it: `server` answers a `client`, `consumer` takes what a `producer` has sent. */
export type SpanRole = "server" | "client" | "producer" | "consumer" | "internal"

export type Attributes = Record<string, string | number>

/** Makes the spans of traces; there is none where tracing is off. */
export interface Tracer extends AsyncDisposable {
  /**
   * Begins a span after the one that a traceparent names, or of a new trace. Names and the attributes' keys come from a
   * closed list; values may be ids, and never text that a person wrote.
   * @param beganAt of `performance.now()`, for a span that is told of when it is over
   */
  begin(
    name: string,
    kind: SpanRole,
    parent: string | undefined,
    attributes?: Attributes,
    beganAt?: number,
  ): Span
}

export interface Span {
  /** What the next span is told. */
  readonly traceparent: string
  /** Call once. `failure` is an error code. */
  end(failure?: string): void
}

/** Opens the configured exporter; without one, its packages are not even loaded. */
export async function openTracer(
  service: string,
  config: TracesConfig | undefined,
  log: Logger,
): Promise<Tracer | undefined> {
  if (!config) return undefined
  const { createOtlpTracer } = await import("./tracing-otlp.ts")
  return createOtlpTracer(service, config, log)
}
