import {
  answerVariables,
  type Environment,
  kafkaBrokers,
  linkSecret,
  logLevel,
  mongodbUrl,
  port,
  readConfig,
  requireBothEngines,
  url,
  urls,
} from "@parley/platform/config.ts"
import type { LogLevel } from "@parley/platform/log.ts"
import {
  type Observability,
  observability,
  observabilityVariables,
} from "@parley/platform/observability.ts"
import * as v from "valibot"
import { WRITE_LIMITS } from "./limits.ts"

export interface ChatConfig {
  port: number
  host: string
  dataDir: string
  /** `iss` of the tokens that auth signs. */
  publicUrl: string
  /** Equal processes of auth. */
  authUrls: readonly string[]
  /** Where gateways reach this node; undefined: at the address that it listens on. */
  nodeUrl: string | undefined
  linkSecret: string
  logLevel: LogLevel
  /** Bytes of one answer or event; undefined: as many as the limits say. */
  answerBytes?: number
  observability?: Observability
  /** The engines of a cluster; undefined: the embedded ones, and this node is the only one. */
  cluster: ClusterConfig | undefined
  /** What one person may write; where nothing is said, WRITE_LIMITS. */
  writeLimits?: WriteLimits
}

export type WriteLimits = Record<keyof typeof WRITE_LIMITS, number>

export interface ClusterConfig {
  mongodbUrl: string
  kafkaBrokers: string[]
  /** How many partitions the topics have; the same on every node, for good. */
  partitions: number
}

const partitions = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,3}$/, "it must be a whole number from 1 to 1024"),
  v.transform(Number),
  v.maxValue(1024, "it must be a whole number from 1 to 1024"),
)

/** A whole number from 1 on, exact. */
const amount = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,14}$/, "it must be a whole number from 1 on, of at most 15 digits"),
  v.transform(Number),
)
const limit = (name: keyof typeof WRITE_LIMITS) => v.optional(amount, String(WRITE_LIMITS[name]))

const writeLimits = {
  MESSAGES_PER_MINUTE: limit("MESSAGES_PER_MINUTE"),
  MARKS_PER_MINUTE: limit("MARKS_PER_MINUTE"),
  CHANGES_PER_MINUTE: limit("CHANGES_PER_MINUTE"),
  TEXT_BYTES_PER_DAY: limit("TEXT_BYTES_PER_DAY"),
  TEXT_BYTES_PER_PERSON: limit("TEXT_BYTES_PER_PERSON"),
  GROUPS_PER_DAY: limit("GROUPS_PER_DAY"),
  ADDS_PER_DAY: limit("ADDS_PER_DAY"),
  STRANGERS_PER_DAY: limit("STRANGERS_PER_DAY"),
}

const Variables = v.object({
  PORT: v.optional(port, "0"),
  HOST: v.optional(v.string(), "127.0.0.1"),
  DATA_DIR: v.optional(v.string(), "./data"),
  PUBLIC_URL: v.optional(url, "http://localhost:4000"),
  AUTH_URL: urls,
  LINK_SECRET: linkSecret,
  LOG_LEVEL: v.optional(logLevel, "info"),
  ...answerVariables,
  MONGODB_URL: v.optional(mongodbUrl),
  KAFKA_BROKERS: v.optional(kafkaBrokers),
  KAFKA_PARTITIONS: v.optional(partitions, "64"),
  NODE_URL: v.optional(url),
  ...writeLimits,
  ...observabilityVariables,
})

/** @throws ConfigError that names the variable at fault. */
export function readChatConfig(environment: Environment): ChatConfig {
  const given = readConfig(Variables, environment)
  return {
    port: given.PORT,
    host: given.HOST,
    dataDir: given.DATA_DIR,
    publicUrl: given.PUBLIC_URL,
    authUrls: given.AUTH_URL,
    nodeUrl: given.NODE_URL,
    linkSecret: given.LINK_SECRET,
    logLevel: given.LOG_LEVEL,
    answerBytes: given.ANSWER_BYTES,
    observability: observability(given),
    cluster: readCluster(given),
    writeLimits: readWriteLimits(given),
  }
}

function readCluster(given: v.InferOutput<typeof Variables>): ClusterConfig | undefined {
  const { MONGODB_URL: mongodbUrl, KAFKA_BROKERS: kafkaBrokers } = given
  requireBothEngines(given)
  if (!mongodbUrl || !kafkaBrokers) return undefined
  return { mongodbUrl, kafkaBrokers, partitions: given.KAFKA_PARTITIONS }
}

const readWriteLimits = (given: v.InferOutput<typeof Variables>): WriteLimits => ({
  MESSAGES_PER_MINUTE: given.MESSAGES_PER_MINUTE,
  MARKS_PER_MINUTE: given.MARKS_PER_MINUTE,
  CHANGES_PER_MINUTE: given.CHANGES_PER_MINUTE,
  TEXT_BYTES_PER_DAY: given.TEXT_BYTES_PER_DAY,
  TEXT_BYTES_PER_PERSON: given.TEXT_BYTES_PER_PERSON,
  GROUPS_PER_DAY: given.GROUPS_PER_DAY,
  ADDS_PER_DAY: given.ADDS_PER_DAY,
  STRANGERS_PER_DAY: given.STRANGERS_PER_DAY,
})
