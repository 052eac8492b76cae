import { type Environment, logLevel, port, readConfig, url } from "@parley/platform/config.ts"
import * as v from "valibot"

const WebEnvironment = v.object({
  PORT: v.optional(port, "0"),
  HOST: v.optional(v.string(), "127.0.0.1"),
  PUBLIC_URL: v.optional(url, "http://localhost:4000"),
  GATEWAY_URL: url,
  LOG_LEVEL: v.optional(logLevel, "info"),
})

export type WebConfig = ReturnType<typeof readWebConfig>

/** @throws ConfigError, as readConfig does. */
export function readWebConfig(environment: Environment) {
  const given = readConfig(WebEnvironment, environment)
  return {
    port: given.PORT,
    host: given.HOST,
    /** Where browsers come from; decides the names of the cookies and HSTS. */
    publicUrl: new URL(given.PUBLIC_URL),
    /** Where the server-side rendering asks. */
    gatewayUrl: new URL(given.GATEWAY_URL),
    logLevel: given.LOG_LEVEL,
  }
}
