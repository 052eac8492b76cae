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
} from "@parley/service/config.ts"
import type { LogLevel } from "@parley/service/log.ts"
import {
  type Observability,
  observability,
  observabilityVariables,
} from "@parley/service/observability.ts"
import * as v from "valibot"

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
}

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
  }
}

function readCluster(given: v.InferOutput<typeof Variables>): ClusterConfig | undefined {
  const { MONGODB_URL: mongodbUrl, KAFKA_BROKERS: kafkaBrokers } = given
  requireBothEngines(given)
  if (!mongodbUrl || !kafkaBrokers) return undefined
  return { mongodbUrl, kafkaBrokers, partitions: given.KAFKA_PARTITIONS }
}
