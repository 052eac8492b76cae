import { type Clock, systemClock } from "@parley/service/clock.ts"
import { createLogger, type Logger } from "@parley/service/log.ts"
import { createTokenVerifier, remoteKeys, type TokenVerifier } from "@parley/service/tokens.ts"
import type { Server } from "graphql-ws"
import type { GatewayConfig } from "./config.ts"
import { cookieNames } from "./credentials.ts"
import { followEndedSessions } from "./ended-sessions.ts"
import { createHttp } from "./http.ts"
import { createDocuments, type Documents } from "./operations/documents.ts"
import { createExecutor, type Executor } from "./operations/executor.ts"
import { createSessions, type Sessions } from "./sessions.ts"
import { createSocketServer, type Extra } from "./socket.ts"
import { fanOut } from "./subscriptions/fan-out.ts"
import { createPrograms } from "./subscriptions/programs.ts"
import type { Subscriber } from "./subscriptions/subscriber.ts"
import { type Graph, loadGraph } from "./supergraph/supergraph.ts"
import supergraphSdl from "./supergraph.graphql" with { type: "text" }
import { allowedOrigins, createUpgrade } from "./upgrade.ts"
import { createLink, type Link } from "./upstream/link.ts"

/** Everything that the gateway is made of. Whoever made it disposes of it. */
export interface GatewayContext extends Disposable {
  config: GatewayConfig
  log: Logger
  graph: Graph
  links: ReadonlyMap<string, Link<Subscriber>>
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
  /** How long a subgraph may take to answer, in ms. */
  timeout?: number
}

export function createGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): GatewayContext {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? createLogger("gateway", config.logLevel)
  const tokens =
    overrides.tokens ??
    createTokenVerifier({ keys: remoteKeys(config.authUrl), issuer: config.publicUrl, clock })

  const graph = loadGraph(supergraphSdl)
  const link = (subgraph: string, url: string): [string, Link<Subscriber>] => [
    subgraph,
    createLink({
      subgraph,
      url,
      secret: config.linkSecret,
      log,
      onShared: fanOut,
      timeout: overrides.timeout,
    }),
  ]
  const links = new Map([link("auth", config.authUrl), link("chat", config.chatUrl)])
  const documents = createDocuments(graph, config)
  const executor = createExecutor({ graph, links, log })
  const programs = createPrograms({ graph, executor, log })
  const sessions = createSessions({ tokens, clock })
  const ended = followEndedSessions({
    authUrl: config.authUrl,
    secret: config.linkSecret,
    log,
    onEnded: sessions.end,
  })

  const cookies = cookieNames(config.publicUrl)
  const requestId = requestIds()
  const common = { documents, executor, sessions, clock, requestId, log }
  const protocol = createSocketServer({ ...common, programs, links })
  return {
    config,
    log,
    graph,
    links,
    documents,
    executor,
    sessions,
    protocol,
    http: createHttp({ ...common, cookies }),
    upgrade: createUpgrade({
      protocol,
      origins: allowedOrigins(config.publicUrl),
      cookies,
      socket: { clock, requestId },
    }),
    [Symbol.dispose]() {
      ended[Symbol.dispose]()
      for (const link of links.values()) link.close()
    },
  }
}

/** Ids that tell one request from another in the logs of all services. */
function requestIds(): () => string {
  const process = crypto.randomUUID().slice(0, 8)
  let count = 0
  return () => `${process}-${(++count).toString(36)}`
}
