import type { Environment } from "@parley/service/config.ts"
import { readAuthConfig } from "../auth/config.ts"
import { readChatConfig } from "../chat/config.ts"
import { readGatewayConfig } from "../gateway/config.ts"
import { readWebConfig } from "../web/config.ts"
import type { Service } from "./supervise.ts"

export interface Installation {
  host: string
  port: number
  dataDir: string
  publicUrl: string
  linkSecret: string
  /** One free loopback port for each of the inner services. */
  ports: { auth: number; chat: number; web: number }
}

const loopback = (port: number) => `http://127.0.0.1:${port}`

/**
 * The four services and what each is told. The user's own environment is passed on beneath it: a service may have
 * settings that only it knows.
 * @throws ConfigError where one of them could not use what it is told; nothing is started yet.
 */
export function servicesOf(installation: Installation, environment: Environment): Service[] {
  const { ports, dataDir, publicUrl, linkSecret } = installation
  const common = {
    ...environment,
    NODE_ENV: "production",
    APOLLO_TELEMETRY_DISABLED: "true",
    NEXT_TELEMETRY_DISABLED: "1",
    PUBLIC_URL: publicUrl,
  }
  const inner = (port: number) => ({ ...common, HOST: "127.0.0.1", PORT: String(port) })
  const told = {
    auth: { ...inner(ports.auth), DATA_DIR: dataDir, LINK_SECRET: linkSecret },
    chat: {
      ...inner(ports.chat),
      DATA_DIR: dataDir,
      LINK_SECRET: linkSecret,
      AUTH_URL: loopback(ports.auth),
    },
    gateway: {
      ...common,
      HOST: installation.host,
      PORT: String(installation.port),
      LINK_SECRET: linkSecret,
      AUTH_URL: loopback(ports.auth),
      CHAT_URL: loopback(ports.chat),
      WEB_URL: loopback(ports.web),
    },
    web: { ...inner(ports.web), GATEWAY_URL: loopback(installation.port) },
  }
  readAuthConfig(told.auth)
  readChatConfig(told.chat)
  readGatewayConfig(told.gateway)
  readWebConfig(told.web)
  return Object.entries(told).map(([name, environment]) => ({
    name,
    script: `${name}/main.ts`,
    environment,
  }))
}
