import {
  answerVariables,
  type Environment,
  linkSecret,
  logLevel,
  mongodbUrl,
  port,
  readConfig,
  url,
} from "@parley/platform/config.ts"
import type { LogLevel } from "@parley/platform/log.ts"
import {
  type Observability,
  observability,
  observabilityVariables,
} from "@parley/platform/observability.ts"
import * as v from "valibot"

export interface AuthConfig {
  port: number
  host: string
  /** Where browsers come from: the issuer of every token; https decides the cookies' names and flags. */
  publicUrl: string
  /** Holds `auth/auth.sqlite` and `auth/keys.json`. */
  dataDir: string
  /** Where everything is kept instead, for any number of auth processes; undefined: in `dataDir`. */
  mongodbUrl: string | undefined
  linkSecret: string
  logLevel: LogLevel
  /** Bytes of one answer or event; undefined: as many as the limits say. */
  answerBytes?: number
  observability?: Observability
  /** Accounts that one address may create in an hour. */
  signUpsPerAddress: number
  /** Failed guesses of passwords that one address may make in 15 minutes, whatever the account. */
  guessesPerAddress: number
}

const count = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,8}$/, "it must be a whole number from 1 to 999999999"),
  v.transform(Number),
)

const variables = v.object({
  PORT: v.optional(port, "0"),
  HOST: v.optional(v.string(), "127.0.0.1"),
  PUBLIC_URL: v.optional(url, "http://localhost:4000"),
  DATA_DIR: v.optional(v.string(), "./data"),
  LINK_SECRET: linkSecret,
  MONGODB_URL: v.optional(mongodbUrl),
  LOG_LEVEL: v.optional(logLevel, "info"),
  ...answerVariables,
  ...observabilityVariables,
  SIGNUPS_PER_ADDRESS: v.optional(count, "1000"),
  GUESSES_PER_ADDRESS: v.optional(count, "200"),
})

/**
 * Reads the environment of the auth service.
 * @throws ConfigError that names the variable at fault.
 */
export function readAuthConfig(environment: Environment): AuthConfig {
  const read = readConfig(variables, environment)
  return {
    port: read.PORT,
    host: read.HOST,
    publicUrl: read.PUBLIC_URL,
    dataDir: read.DATA_DIR,
    mongodbUrl: read.MONGODB_URL,
    linkSecret: read.LINK_SECRET,
    logLevel: read.LOG_LEVEL,
    answerBytes: read.ANSWER_BYTES,
    observability: observability(read),
    signUpsPerAddress: read.SIGNUPS_PER_ADDRESS,
    guessesPerAddress: read.GUESSES_PER_ADDRESS,
  }
}
