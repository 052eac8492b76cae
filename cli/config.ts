import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import {
  ConfigError,
  type Environment,
  kafkaBrokers,
  linkSecret,
  mongodbUrl,
  port,
  readConfig,
  requireBothEngines,
} from "@parley/platform/config.ts"
import * as v from "valibot"
import { inRoot } from "../platform/machine/root.ts"

export interface StartConfig {
  /** Where the gateway listens; 0: any free port. */
  port: number
  /** The address on which the gateway listens. */
  host: string
  /** Absolute. */
  dataDir: string
  /** An origin; undefined: `http://localhost:` and the port. */
  publicUrl: string | undefined
  /** What the services share; undefined: one that the data folder keeps. */
  linkSecret: string | undefined
  /** What the services are to run on; undefined: the embedded engines. */
  engines: EngineUrls | undefined
}

/** As MONGODB_URL and KAFKA_BROKERS have it. */
export interface EngineUrls {
  mongodbUrl: string
  kafkaBrokers: string
}

const origin = v.pipe(
  v.string(),
  v.url("it must be a URL such as https://chat.example.org"),
  v.transform((given) => new URL(given)),
  v.check(
    ({ protocol, pathname, search, hash }) =>
      /^https?:$/.test(protocol) && pathname === "/" && search === "" && hash === "",
    "it must be http:// or https:// and a host, without a path, such as https://chat.example.org",
  ),
  v.transform((url) => url.origin),
)

const Variables = v.object({
  PORT: v.optional(port, "4000"),
  HOST: v.optional(v.string(), "0.0.0.0"),
  DATA_DIR: v.optional(v.string()),
  PUBLIC_URL: v.optional(origin),
  LINK_SECRET: v.optional(linkSecret),
  MONGODB_URL: v.optional(mongodbUrl),
  KAFKA_BROKERS: v.optional(kafkaBrokers),
})

/** @throws ConfigError that names the variable at fault. */
export function readStartConfig(environment: Environment): StartConfig {
  const given = readConfig(Variables, environment)
  requireBothEngines(given)
  const { MONGODB_URL: mongodbUrl, KAFKA_BROKERS: brokers } = given
  return {
    port: given.PORT,
    host: given.HOST,
    // A given path is relative to the working directory; the default is in the clone.
    dataDir: given.DATA_DIR === undefined ? inRoot("data") : resolve(given.DATA_DIR),
    publicUrl: given.PUBLIC_URL,
    linkSecret: given.LINK_SECRET,
    engines: mongodbUrl && brokers ? { mongodbUrl, kafkaBrokers: brokers.join(",") } : undefined,
  }
}

/**
 * Makes sure that the data folder is there and can be written to.
 * @throws ConfigError where it is not, and cannot be.
 */
export function openDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const probe = join(dataDir, `.write-test-${process.pid}`)
    writeFileSync(probe, "")
    rmSync(probe)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ConfigError(
      `The data folder ${dataDir} cannot be written to (${code}): make it writable, or set DATA_DIR to another folder.`,
    )
  }
}

/** The secret that the services of one installation share; made on the first start, and kept for its owner's eyes only. */
export function linkSecretIn(dataDir: string): string {
  const file = join(dataDir, "link-secret")
  try {
    const secret = readFileSync(file, "utf8").trim()
    if (secret.length >= 32) return secret
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  }
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
  rmSync(file, { force: true })
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" })
  return secret
}
