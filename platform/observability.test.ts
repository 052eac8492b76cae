import { describe, expect, test } from "bun:test"
import * as v from "valibot"
import { ConfigError, type Environment, readConfig } from "./config.ts"
import { observability, observabilityVariables } from "./observability.ts"

const read = (environment: Environment) =>
  observability(readConfig(v.object(observabilityVariables), environment))

test("everything is off where nothing is set", () => {
  expect(read({})).toEqual({ metrics: undefined, traces: undefined })
  expect(read({ METRICS_HOST: "0.0.0.0", OTEL_TRACES_SAMPLER: "always_on" })).toEqual({
    metrics: undefined,
    traces: undefined,
  })
})

test("metrics are for this machine alone, unless another address is named", () => {
  expect(read({ METRICS_PORT: "9100" }).metrics).toEqual({ port: 9100, host: "127.0.0.1" })
  expect(read({ METRICS_PORT: "9100", METRICS_HOST: "10.0.0.5" }).metrics).toEqual({
    port: 9100,
    host: "10.0.0.5",
  })
})

test("traces are on where a collector is named, and sampled as OpenTelemetry's variables say", () => {
  const OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318"
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT }).traces).toEqual({
    endpoint: OTEL_EXPORTER_OTLP_ENDPOINT,
    sampler: "parentbased_always_on",
    ratio: 1,
    serviceName: undefined,
  })
  const given = {
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.05",
    OTEL_SERVICE_NAME: "chat-eu",
  }
  expect(read(given).traces).toMatchObject({
    sampler: "parentbased_traceidratio",
    ratio: 0.05,
    serviceName: "chat-eu",
  })
})

describe("what cannot be used is a sentence", () => {
  test.each([
    [{ METRICS_PORT: "metrics" }, "METRICS_PORT cannot be used: it must be a port number"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }, "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used:"],
    [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, "OTEL_TRACES_SAMPLER cannot be used: it must be"],
    [{ OTEL_TRACES_SAMPLER_ARG: "2" }, "OTEL_TRACES_SAMPLER_ARG cannot be used: it must be a"],
    [{ OTEL_TRACES_SAMPLER_ARG: "10%" }, "OTEL_TRACES_SAMPLER_ARG cannot be used: it must be a"],
  ] as [Environment, string][])("%p", (environment, message) => {
    expect(() => read(environment)).toThrow(ConfigError)
    expect(() => read(environment)).toThrow(message)
  })
})
