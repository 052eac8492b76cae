import { readFileSync } from "node:fs"
import * as v from "valibot"
import { ANSWER_BYTES } from "./limits.ts"

/** A setting that cannot be used. The message is one sentence that says what to do; the process ends with status 1. */
export class ConfigError extends Error {
  override readonly name = "ConfigError"
}

export type Environment = Record<string, string | undefined>

/** What may be kept in a file that `<name>_FILE` names, as Docker and Kubernetes mount secrets. */
const SECRETS = ["LINK_SECRET", "MONGODB_URL"] as const

/**
 * Reads the environment into a typed config, once, at start. The schema's keys are the variables' names.
 * @throws ConfigError that names the first variable at fault and why.
 */
export function readConfig<S extends v.GenericSchema & { entries: object }>(
  schema: S,
  environment: Environment,
): v.InferOutput<S> {
  // An empty variable counts as unset: `PORT= ./parley start` means the default.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""))
  for (const name of SECRETS) {
    const file = given[`${name}_FILE`]
    if (file !== undefined && name in schema.entries) given[name] = secretIn(file, name, given)
  }
  const result = v.safeParse(schema, given)
  if (result.success) return result.output
  const issue = result.issues[0]
  const name = String(issue.path?.[0]?.key ?? "The environment")
  const problem = given[name] === undefined ? "is missing" : `cannot be used: ${issue.message}`
  throw new ConfigError(`${name} ${problem}.`)
}

function secretIn(file: string, name: string, given: Environment): string {
  if (given[name] !== undefined) {
    throw new ConfigError(`${name} and ${name}_FILE are both set: leave one of them unset.`)
  }
  try {
    return readFileSync(file, "utf8").trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigError(`${name}_FILE cannot be used: ${file} cannot be read (${code}).`)
  }
}

/** @throws ConfigError where one of the engines of a cluster is set without the other. */
export function requireBothEngines(given: { MONGODB_URL?: unknown; KAFKA_BROKERS?: unknown }) {
  const [mongodb, kafka] = [given.MONGODB_URL !== undefined, given.KAFKA_BROKERS !== undefined]
  if (mongodb === kafka) return
  const [set, missing] = mongodb
    ? ["MONGODB_URL", "KAFKA_BROKERS"]
    : ["KAFKA_BROKERS", "MONGODB_URL"]
  throw new ConfigError(
    `${set} is set and ${missing} is not: set both to run on MongoDB and Kafka, or neither to run on the embedded engines.`,
  )
}

/** A TCP port; 0 lets the system choose. */
export const port = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, "it must be a port number from 0 to 65535"),
  v.transform(Number),
  v.maxValue(65_535, "it must be a port number from 0 to 65535"),
)

const httpUrl = (message: string) =>
  v.pipe(v.string(), v.url(message), v.regex(/^https?:\/\/\S+$/, message))

export const url = httpUrl("it must be a URL such as http://127.0.0.1:4001")

/** URLs of equal processes of one service, separated by commas; each once. */
export const urls = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(",").map((one) => one.trim()))]),
  v.array(httpUrl("it must be URLs such as http://10.0.0.1:4001,http://10.0.0.2:4001")),
)

export const mongodbUrl = v.pipe(
  v.string(),
  v.regex(/^mongodb(\+srv)?:\/\/\S+$/, "it must be a URL such as mongodb://127.0.0.1:27017/parley"),
)

/** `host:port` of some brokers of a Kafka cluster, separated by commas; they name the others. */
export const kafkaBrokers = v.pipe(
  v.string(),
  v.regex(
    /^[^\s,:/]+:\d{1,5}(\s*,\s*[^\s,:/]+:\d{1,5})*$/,
    "it must be brokers such as kafka1:9092,kafka2:9092",
  ),
  v.transform((list) => list.split(",").map((broker) => broker.trim())),
)

/** What only our own services know: it opens the subgraphs' endpoints. At least 32 characters. */
export const linkSecret = v.pipe(v.string(), v.minLength(32, "it must have 32 characters or more"))

const answerBytes = v.pipe(
  v.string(),
  v.regex(/^\d{5,8}$/, "it must be bytes, from 65536 to 16777216"),
  v.transform(Number),
  v.minValue(65_536, "it must be 65536 or more"),
  v.maxValue(16_777_216, "it must be 16777216 or less"),
)

/** What the gateway and the subgraphs are to agree on, to be spread into the variables of a service. */
export const answerVariables = { ANSWER_BYTES: v.optional(answerBytes, String(ANSWER_BYTES)) }

export const logLevel = v.picklist(
  ["debug", "info", "warn", "error"],
  "it must be debug, info, warn or error",
)
