import { buildSubgraphSchema } from "@apollo/subgraph"
import { type Clock, systemClock } from "@parley/service/clock.ts"
import { type IdSource, uuidv7Source } from "@parley/service/ids.ts"
import { createLogger, type Logger } from "@parley/service/log.ts"
import type { Metrics } from "@parley/service/metrics.ts"
import { openMetrics } from "@parley/service/metrics-server.ts"
import { createTokenVerifier, remoteKeys, type TokenVerifier } from "@parley/service/tokens.ts"
import { openTracer, type Tracer } from "@parley/service/tracing.ts"
import { createTurns, type Turns } from "@parley/service/turns.ts"
import { parse } from "graphql"
import { type Bus, openBus } from "./bus/bus.ts"
import { type AccountOptions, createAccount } from "./cluster/account.ts"
import { createAnnouncer } from "./cluster/announcer.ts"
import { type Cluster, joinCluster } from "./cluster/cluster.ts"
import type { ChatConfig } from "./config.ts"
import { createHub, type Hub } from "./delivery/hub.ts"
import { createReplayGate } from "./delivery/replay-gate.ts"
import { createRouter } from "./delivery/router.ts"
import { createDirectory, type Directory } from "./directory.ts"
import { createAppender } from "./domain/appender.ts"
import { createGroups } from "./domain/groups.ts"
import { createMessages } from "./domain/messages.ts"
import { createPictures } from "./domain/pictures.ts"
import { createReader } from "./domain/reader.ts"
import { createReceipts } from "./domain/receipts.ts"
import type { Services } from "./graphql/context.ts"
import { createEvents } from "./graphql/events.ts"
import { createPrograms } from "./graphql/programs.ts"
import { resolvers } from "./graphql/resolvers.ts"
import typeDefs from "./graphql/schema.graphql" with { type: "text" }
import { createChatMetrics } from "./metrics.ts"
import { openStore, type Store } from "./store/store.ts"
import { createTrail } from "./trail.ts"

/** What a test may put in the place of the real thing. */
export interface ChatOverrides {
  store: Store
  bus: Bus
  clock: Clock
  newId: IdSource
  directory: Directory
  tokens: TokenVerifier
  log: Logger
  tracer: Tracer
  /** How often nodes say that they live, in ms; and how long a write that failed may still arrive. */
  beatEvery: number
  lateWrites: AccountOptions["times"]
}

export interface ChatContainer extends AsyncDisposable {
  schema: ReturnType<typeof buildSubgraphSchema>
  services: Services
  hub: Hub
  tokens: TokenVerifier
  log: Logger
  tracer: Tracer | undefined
  /** Where somebody is to read them. */
  metrics: Metrics | undefined
  openEvents: ReturnType<typeof createEvents>
  /** How this node's thread is shared out. */
  turns: Turns
  /** How many partitions the users' channels are. */
  partitions: number
  /** Takes part in the cluster until the end, as a node that gateways reach at that URL; undefined where the store is not shared. */
  join(url: string): Cluster | undefined
  /** Resolves where both engines answer. */
  ready(): Promise<void>
}

export const chatSchema = () =>
  buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers as never }])

/** Wires the service: engines below, domain on them, delivery beside it, GraphQL on top. */
export async function createChat(
  config: ChatConfig,
  overrides: Partial<ChatOverrides> = {},
): Promise<ChatContainer> {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? createLogger("chat", config.logLevel)
  const newId = overrides.newId ?? uuidv7Source(clock)
  const tokens =
    overrides.tokens ??
    createTokenVerifier({ keys: remoteKeys(config.authUrls), issuer: config.publicUrl, clock })
  const directory =
    overrides.directory ?? createDirectory({ authUrls: config.authUrls, secret: config.linkSecret })

  const metrics = openMetrics(config.observability?.metrics, log)
  const figures = metrics && createChatMetrics(metrics)
  const opened = overrides.store ?? (await openStore(config, log))
  const store = figures ? figures.store(opened) : opened
  const bus = overrides.bus ?? (await openBus(config, log))
  const tracer = overrides.tracer ?? (await openTracer("chat", config.observability?.traces, log))
  const trail = createTrail(log, tracer)
  const turns = createTurns()
  const hub = createHub({ store, bus, log, trail })
  const pictures = createPictures(store)
  const router = createRouter({ hub, bus, pictures, trail })

  const { nodes } = store
  const outbox =
    nodes &&
    createAccount({
      newLife: () => crypto.randomUUID(),
      now: () => performance.now(),
      times: overrides.lateWrites,
    })
  const onStored = router.entryStored
  const appender = createAppender({ store, pictures, clock, onStored, outbox, trail })
  const messages = createMessages({ store, appender, clock })
  const services: Services = {
    store,
    pictures,
    reader: createReader(store),
    messages: figures ? figures.messages(messages) : messages,
    groups: createGroups({ appender, directory, newId }),
    receipts: createReceipts({ store, pictures, onMoved: router.receiptMoved }),
  }

  let cluster: Cluster | undefined
  figures?.watch({ hub, bus, appender, account: outbox, cluster: () => cluster })
  const schema = chatSchema()
  const programs = createPrograms(schema, services, turns, log)
  return {
    schema,
    services,
    hub,
    tokens,
    log,
    tracer,
    metrics,
    openEvents: createEvents(schema, programs, {
      ...{ hub, store, log, turns, gate: createReplayGate() },
      onReplay: figures?.onReplay,
    }),
    turns,
    partitions: bus.partitions,
    join(url) {
      if (!nodes || !outbox) return undefined
      const announce = router.entryStored
      const announceStretch = createAnnouncer({ nodes, pictures, announce })
      const { beatEvery } = overrides
      cluster = joinCluster({ nodes, account: outbox, announceStretch, url, log, beatEvery })
      return cluster
    },
    async ready() {
      await store.ping()
      await bus.ping()
    },
    async [Symbol.asyncDispose]() {
      // What has been stored is announced first: then there is nothing to leave to an heir.
      await bus[Symbol.asyncDispose]()
      await cluster?.leave()
      await store[Symbol.asyncDispose]()
      await tracer?.[Symbol.asyncDispose]()
      metrics?.[Symbol.dispose]()
    },
  }
}
