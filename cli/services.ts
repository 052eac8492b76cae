import type { Environment } from "@parley/platform/config.ts"
import { readAuthConfig } from "../auth/config.ts"
import { readChatConfig } from "../chat/config.ts"
import { readGatewayConfig } from "../gateway/config.ts"
import { readWebConfig } from "../web/config.ts"
import type { EngineUrls } from "./config.ts"
import type { Service } from "./supervise.ts"

export interface Installation {
  host: string
  dataDir: string
  publicUrl: string
  linkSecret: string
  engines: EngineUrls | undefined
  /** One for each process of a service, in their order. The gateways' are open on `host`, the others' on loopback alone. */
  ports: { auth: number[]; chat: number[]; web: number[]; gateway: number[] }
}

type ServiceName = keyof Installation["ports"]

export const loopback = (port: number | undefined) => `http://127.0.0.1:${port}`

/** What each service makes of its environment: it throws where it could not use it. */
const READERS: Record<ServiceName, (environment: Environment) => unknown> = {
  auth: readAuthConfig,
  chat: readChatConfig,
  gateway: readGatewayConfig,
  web: readWebConfig,
}

/**
 * The processes of all services and what each is told. The user's own environment is passed on beneath it: a service
 * may have settings that only it knows.
 * @throws ConfigError where one of them could not use what it is told; nothing is started yet.
 */
export function servicesOf(installation: Installation, environment: Environment): Service[] {
  const { ports, host, dataDir, publicUrl, linkSecret, engines } = installation
  const common = {
    ...environment,
    NODE_ENV: "production",
    APOLLO_TELEMETRY_DISABLED: "true",
    NEXT_TELEMETRY_DISABLED: "1",
    PUBLIC_URL: publicUrl,
    LINK_SECRET_FILE: undefined,
    MONGODB_URL_FILE: undefined,
    MONGODB_URL: engines?.mongodbUrl,
    KAFKA_BROKERS: engines?.kafkaBrokers,
  }
  const inner = (port: number) => ({ ...common, HOST: "127.0.0.1", PORT: String(port) })
  const all = (name: ServiceName) => ports[name].map(loopback).join(",")
  const told: Record<ServiceName, (port: number) => Environment> = {
    auth: (port) => ({ ...inner(port), DATA_DIR: dataDir, LINK_SECRET: linkSecret }),
    chat: (port) => ({
      ...inner(port),
      DATA_DIR: dataDir,
      LINK_SECRET: linkSecret,
      AUTH_URL: all("auth"),
      NODE_URL: engines && loopback(port),
    }),
    gateway: (port) => ({
      ...common,
      HOST: host,
      PORT: String(port),
      LINK_SECRET: linkSecret,
      AUTH_URL: all("auth"),
      CHAT_URL: all("chat"),
      WEB_URL: all("web"),
    }),
    web: (port) => ({ ...inner(port), GATEWAY_URL: loopback(ports.gateway[0]) }),
  }
  let started = 0
  return (Object.keys(told) as ServiceName[]).flatMap((name) =>
    ports[name].map((port, index) => {
      const METRICS_PORT = name === "web" ? undefined : metricsPort(environment, started++)
      const service = {
        name: ports[name].length === 1 ? name : `${name}-${index + 1}`,
        script: `${name}/main.ts`,
        environment: { ...told[name](port), METRICS_PORT },
      }
      READERS[name](service.environment)
      return service
    }),
  )
}

/** METRICS_PORT names the first process's; the others have those that follow. What is no port is refused by the service. */
function metricsPort({ METRICS_PORT: first }: Environment, index: number): string | undefined {
  return Number(first) > 0 ? String(Number(first) + index) : first
}

/** Where Prometheus finds each process, in one line; undefined where it finds none, or any port was wanted. */
export function metricsWhereabouts(services: readonly Service[]): string | undefined {
  const places = services.flatMap(({ name, environment }) => {
    const { METRICS_PORT: port, METRICS_HOST: host } = environment
    return Number(port) > 0 ? [`${name} at http://${host || "127.0.0.1"}:${port}/metrics`] : []
  })
  return places.length > 0 ? `figures of ${places.join(", ")}` : undefined
}
