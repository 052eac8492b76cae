import type { BlockList } from "node:net"
import {
  answerVariables,
  type Environment,
  linkSecret,
  logLevel,
  port,
  readConfig,
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
import type { AccessLogSetting } from "./access-log.ts"
import { networks } from "./addresses.ts"
import { isOwnMachine } from "./upgrade.ts"

export interface GatewayConfig {
  port: number
  host: string
  /** Where browsers come from: decides which `Origin` may open a socket, and how the cookies are named. */
  publicUrl: string
  linkSecret: string
  /** Equal processes of auth. */
  authUrls: readonly string[]
  /** Some nodes of chat, which name the others. */
  chatUrls: readonly string[]
  /** Where everything goes that is not the gateway's own; undefined: it is answered with 404. */
  webUrl: string | undefined
  /** Whether the API may be asked about itself: on one's own machine, unless set. */
  introspection: boolean
  /** Which requests get a line in the log; none unless given. */
  accessLog?: AccessLogSetting
  /** Operations a second; the defaults are in limits.ts. */
  operationsPerPerson?: number
  operationsPerAddress?: number
  /** Whose `x-forwarded-for` is believed; undefined: no peer's. */
  trustedProxies?: BlockList
  /** Holds the playground's files, as an image does; undefined: they are bundled once, and kept. */
  playgroundDir?: string
  logLevel: LogLevel
  /** Bytes of one answer or event; undefined: as many as the limits say. */
  answerBytes?: number
  observability?: Observability
}

/** Operations a second. */
const rate = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,6}$/, "it must be a number from 1 to 9999999"),
  v.transform(Number),
)

const Variables = v.object({
  PORT: v.optional(port, "4000"),
  HOST: v.optional(v.string(), "0.0.0.0"),
  PUBLIC_URL: v.optional(url),
  LINK_SECRET: linkSecret,
  AUTH_URL: urls,
  CHAT_URL: urls,
  WEB_URL: v.optional(url),
  PLAYGROUND_DIR: v.optional(v.string()),
  TRUSTED_PROXIES: v.optional(networks),
  INTROSPECTION: v.optional(
    v.pipe(
      v.picklist(["on", "off", "true", "false"], "it must be on or off"),
      v.transform((given) => given === "on" || given === "true"),
    ),
  ),
  ACCESS_LOG: v.optional(
    v.picklist(["all", "refused", "off"], "it must be all, refused or off"),
    "refused",
  ),
  OPERATIONS_PER_PERSON: v.optional(rate),
  OPERATIONS_PER_ADDRESS: v.optional(rate),
  LOG_LEVEL: v.optional(logLevel, "info"),
  ...answerVariables,
  ...observabilityVariables,
})

/** @throws ConfigError that names the variable at fault. */
export function readGatewayConfig(environment: Environment): GatewayConfig {
  const read = readConfig(Variables, environment)
  const publicUrl = read.PUBLIC_URL ?? `http://localhost:${read.PORT}`
  return {
    port: read.PORT,
    host: read.HOST,
    publicUrl,
    linkSecret: read.LINK_SECRET,
    authUrls: read.AUTH_URL,
    chatUrls: read.CHAT_URL,
    webUrl: read.WEB_URL,
    trustedProxies: read.TRUSTED_PROXIES,
    introspection: read.INTROSPECTION ?? isOwnMachine(publicUrl),
    accessLog: read.ACCESS_LOG,
    operationsPerPerson: read.OPERATIONS_PER_PERSON,
    operationsPerAddress: read.OPERATIONS_PER_ADDRESS,
    playgroundDir: read.PLAYGROUND_DIR,
    logLevel: read.LOG_LEVEL,
    answerBytes: read.ANSWER_BYTES,
    observability: observability(read),
  }
}
