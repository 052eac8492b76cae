import { watchSockets } from "@parley/link/socket-metrics.ts"
import { type Clock, systemClock } from "@parley/platform/clock.ts"
import { every as repeat } from "@parley/platform/every.ts"
import { createLogger, type Logger } from "@parley/platform/log.ts"
import { openMetrics } from "@parley/platform/metrics-server.ts"
import { createTokenVerifier, remoteKeys, type TokenVerifier } from "@parley/platform/tokens.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import type { Server } from "graphql-ws"
import { createAccessLog } from "./access-log.ts"
import type { GatewayConfig } from "./config.ts"
import { cookieNames } from "./credentials.ts"
import { followEndedSessions } from "./ended-sessions.ts"
import { admitFrames } from "./frames.ts"
import { createHealth, type Health, type Part } from "./health.ts"
import { createHttp } from "./http.ts"
import { createFairUse } from "./limits/fair-use.ts"
import { EXPIRE_EVERY_MS } from "./limits.ts"
import { createGatewayMetrics } from "./metrics.ts"
import { createDocuments, type Documents } from "./operations/documents.ts"
import { createExecutor, type Executor } from "./operations/executor.ts"
import { createSessions, type Sessions } from "./sessions.ts"
import { createSocketServer, type Extra } from "./socket.ts"
import { createFanOut } from "./subscriptions/fan-out.ts"
import type { Subscriber } from "./subscriptions/subscriber.ts"
import { createSubscriptionCompiler } from "./subscriptions/subscription-compiler.ts"
import { type Graph, loadGraph } from "./supergraph/supergraph.ts"
import supergraphSdl from "./supergraph.graphql" with { type: "text" }
import { createTracing } from "./tracing.ts"
import { allowedOrigins, createUpgrade, isOwnMachine } from "./upgrade.ts"
import type { TIMES } from "./upstream/connection.ts"
import { followNodes, nodeUrl } from "./upstream/nodes.ts"
import { createPool, type Pool } from "./upstream/pool.ts"

/** Everything that the gateway is made of. Its maker disposes of it. */
export interface GatewayContext extends Disposable {
  config: GatewayConfig
  log: Logger
  graph: Graph
  pools: ReadonlyMap<string, Pool<Subscriber>>
  health: Health
  documents: Documents
  executor: Executor
  sessions: Sessions
  http: ReturnType<typeof createHttp>
  protocol: Server<Extra>
  upgrade: ReturnType<typeof createUpgrade>
}

/** What a test may put in the place of the real thing. */
export interface GatewayOverrides {
  clock?: Clock
  log?: Logger
  tokens?: TokenVerifier
  tracer?: Tracer
  /** How long a subgraph may take to answer, in ms. */
  timeout?: number
  /** How long one operation may take in all, in ms. */
  operationMs?: number
  /** When a link's silence means what. */
  times?: Partial<typeof TIMES>
  /** How often auth and chat are asked for news, in ms. */
  every?: number
}

export function createGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): GatewayContext {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? createLogger("gateway", config.logLevel)
  const tokens =
    overrides.tokens ??
    createTokenVerifier({ keys: remoteKeys(config.authUrls), issuer: config.publicUrl, clock })

  const metrics = openMetrics(config.observability?.metrics, log, () => health.details())
  const gatewayMetrics = metrics && createGatewayMetrics(metrics)
  const tracing = createTracing(log, overrides.tracer)
  const observers = { tracing, metrics: gatewayMetrics }
  const deliver = createFanOut(observers)

  const graph = loadGraph(supergraphSdl)
  const { timeout, times, every } = overrides
  const secret = config.linkSecret
  const pool = (subgraph: string, urls: readonly string[]) => {
    const pool = createPool({
      subgraph,
      urls: urls.map((url) => nodeUrl(url)),
      secret,
      log,
      onShared: deliver,
      wantsCauses: tracing !== undefined,
      timeout,
      times,
    })
    return gatewayMetrics ? gatewayMetrics.pool(pool) : pool
  }
  const chat = pool("chat", config.chatUrls)
  const pools = new Map([
    ["auth", pool("auth", config.authUrls)],
    ["chat", chat],
  ])
  const health = createHealth({
    parts: () => partsOf(pools.values(), config.webUrl),
    secret,
    ownMachine: isOwnMachine(config.publicUrl),
    now: () => clock.now(),
  })
  const documents = createDocuments(graph, config)
  const fairUse = createFairUse(config)
  const access = createAccessLog(config.accessLog ?? "off", log)
  const { answerBytes } = config
  const within = overrides.operationMs
  const executor = createExecutor({ graph, pools, log, answerBytes, within, ...observers })
  const compiler = createSubscriptionCompiler({ graph, executor, log, answerBytes })
  const sessions = createSessions({ tokens, clock })
  const ended = followEndedSessions({
    authUrls: config.authUrls,
    secret,
    log,
    every,
    onEnded: sessions.end,
    onHeard: sessions.heard,
    live: sessions.ids,
  })
  const expiring = repeat(every ?? EXPIRE_EVERY_MS, sessions.expire, (error) =>
    log.error("expired sockets were not closed", { error }),
  )
  const nodes = followNodes({ seeds: config.chatUrls, secret, log, every, onList: chat.replace })

  const cookies = cookieNames(config.publicUrl)
  const requestId = requestIds()
  const common = {
    documents,
    executor,
    fairUse,
    sessions,
    clock,
    requestId,
    access,
    log,
    ...observers,
  }
  const protocol = admitFrames(createSocketServer({ ...common, compiler, pools, deliver }), fairUse)
  return {
    config,
    log,
    graph,
    pools,
    health,
    documents,
    executor,
    sessions,
    protocol,
    http: createHttp({ ...common, cookies }),
    upgrade: createUpgrade({
      protocol,
      origins: allowedOrigins(config.publicUrl),
      protocolOfPages: new URL(config.publicUrl).protocol,
      cookies,
      socket: { clock, requestId },
      watch: metrics && watchSockets(metrics, "parley_gateway", "clients"),
    }),
    [Symbol.dispose]() {
      ended[Symbol.dispose]()
      void expiring.stop()
      nodes[Symbol.dispose]()
      for (const pool of pools.values()) pool.close()
      metrics?.[Symbol.dispose]()
    },
  }
}

/** What the gateway needs in order to be ready. Of the web app a small file is asked for, which renders nothing. */
function partsOf(pools: Iterable<Pool<Subscriber>>, webUrl: string | undefined): Part[] {
  const services = [...pools].map((pool) => ({
    name: pool.subgraph,
    processes: pool
      .nodes()
      .map(({ url, up }) => ({ url, check: new URL("/readyz", url).href, linked: up })),
  }))
  if (!webUrl) return services
  const web = { url: webUrl, check: new URL("/icon.svg", webUrl).href }
  return [...services, { name: "web", processes: [web] }]
}

/** Ids that tell one request from another in the logs of all services. */
function requestIds(): () => string {
  const process = crypto.randomUUID().slice(0, 8)
  let count = 0
  return () => `${process}-${(++count).toString(36)}`
}
