import * as v from "valibot"
import { port, url } from "./config.ts"

/** Where a process shows what it does; what is undefined is off, and costs nothing. */
export interface Observability {
  metrics: MetricsConfig | undefined
  traces: TracesConfig | undefined
}

export interface MetricsConfig {
  port: number
  host: string
}

export interface TracesConfig {
  /** Of an OpenTelemetry collector, over HTTP. */
  endpoint: string
  sampler: v.InferOutput<typeof sampler>
  /** The share of traces that is kept, from 0 to 1, where the sampler goes by a ratio. */
  ratio: number
  /** Undefined: the service's own name. */
  serviceName: string | undefined
}

const sampler = v.picklist(
  [
    ...(["always_on", "always_off", "traceidratio"] as const),
    ...(["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"] as const),
  ],
  "it must be always_on, always_off or traceidratio, with or without parentbased_ before it",
)

const ratio = v.pipe(
  v.string(),
  v.regex(/^(0(\.\d+)?|1(\.0+)?)$/, "it must be a number from 0 to 1, such as 0.1"),
  v.transform(Number),
)

/** The variables of `Observability`, to be spread into those of a service. */
export const observabilityVariables = {
  METRICS_PORT: v.optional(port),
  METRICS_HOST: v.optional(v.string(), "127.0.0.1"),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(url),
  OTEL_TRACES_SAMPLER: v.optional(sampler, "parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: v.optional(ratio, "1"),
  OTEL_SERVICE_NAME: v.optional(v.string()),
}

const observabilityOf = v.object(observabilityVariables)

export function observability(given: v.InferOutput<typeof observabilityOf>): Observability {
  const { METRICS_PORT: port, METRICS_HOST: host, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = given
  return {
    metrics: port === undefined ? undefined : { port, host },
    traces:
      endpoint === undefined
        ? undefined
        : {
            endpoint,
            sampler: given.OTEL_TRACES_SAMPLER,
            ratio: given.OTEL_TRACES_SAMPLER_ARG,
            serviceName: given.OTEL_SERVICE_NAME,
          },
  }
}
