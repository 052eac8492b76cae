import {
  type Environment,
  linkSecret,
  logLevel,
  port,
  readConfig,
  url,
} from "@parley/service/config.ts"
import type { LogLevel } from "@parley/service/log.ts"
import * as v from "valibot"

export interface ChatConfig {
  port: number
  host: string
  dataDir: string
  /** `iss` of the tokens that auth signs. */
  publicUrl: string
  authUrl: string
  linkSecret: string
  logLevel: LogLevel
}

const Variables = v.object({
  PORT: v.optional(port, "0"),
  HOST: v.optional(v.string(), "127.0.0.1"),
  DATA_DIR: v.optional(v.string(), "./data"),
  PUBLIC_URL: v.optional(url, "http://localhost:4000"),
  AUTH_URL: url,
  LINK_SECRET: linkSecret,
  LOG_LEVEL: v.optional(logLevel, "info"),
})

/** @throws ConfigError that names the variable at fault. */
export function readChatConfig(environment: Environment): ChatConfig {
  const given = readConfig(Variables, environment)
  return {
    port: given.PORT,
    host: given.HOST,
    dataDir: given.DATA_DIR,
    publicUrl: given.PUBLIC_URL,
    authUrl: given.AUTH_URL,
    linkSecret: given.LINK_SECRET,
    logLevel: given.LOG_LEVEL,
  }
}
