import * as v from "valibot"

/** A setting that cannot be used. The message is one sentence that says what to do; the process ends with status 1. */
export class ConfigError extends Error {
  override readonly name = "ConfigError"
}

export type Environment = Record<string, string | undefined>

/**
 * Reads the environment into a typed config, once, at start. The schema's keys are the variables' names.
 * @throws ConfigError that names the first variable at fault and why.
 */
export function readConfig<S extends v.GenericSchema>(
  schema: S,
  environment: Environment,
): v.InferOutput<S> {
  // An empty variable counts as unset: `PORT= ./parley start` means the default.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""))
  const result = v.safeParse(schema, given)
  if (result.success) return result.output
  const issue = result.issues[0]
  const name = String(issue.path?.[0]?.key ?? "The environment")
  const problem = given[name] === undefined ? "is missing" : `cannot be used: ${issue.message}`
  throw new ConfigError(`${name} ${problem}.`)
}

/** A TCP port; 0 lets the system choose. */
export const port = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, "it must be a port number from 0 to 65535"),
  v.transform(Number),
  v.maxValue(65_535, "it must be a port number from 0 to 65535"),
)

export const url = v.pipe(v.string(), v.url("it must be a URL such as http://127.0.0.1:4001"))

const anUrlOfThem = "it must be URLs such as http://10.0.0.1:4001,http://10.0.0.2:4001"

/** URLs of equal processes of one service, separated by commas; each once. */
export const urls = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(",").map((one) => one.trim()))]),
  v.array(v.pipe(v.string(), v.url(anUrlOfThem), v.regex(/^https?:\/\/\S+$/, anUrlOfThem))),
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

export const logLevel = v.picklist(
  ["debug", "info", "warn", "error"],
  "it must be debug, info, warn or error",
)
