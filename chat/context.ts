import { buildSubgraphSchema } from "@apollo/subgraph"
import { createTurns, type Turns } from "@parley/link/turns.ts"
import { type Clock, systemClock } from "@parley/platform/clock.ts"
import { type IdSource, uuidv7Source } from "@parley/platform/ids.ts"
import { createLogger, type Logger } from "@parley/platform/log.ts"
import type { Metrics } from "@parley/platform/metrics.ts"
import { openMetrics } from "@parley/platform/metrics-server.ts"
import { createTokenVerifier, remoteKeys, type TokenVerifier } from "@parley/platform/tokens.ts"
import { openTracer, type Tracer } from "@parley/platform/tracing.ts"
import { parse } from "graphql"
import { type Bus, openBus } from "./bus/bus.ts"
import { createAnnouncer } from "./cluster/announcer.ts"
import { type Cluster, joinCluster } from "./cluster/cluster.ts"
import { type LookoutOptions, withLookout } from "./cluster/lookout.ts"
import { createOthers } from "./cluster/others.ts"
import { createOutbox, type OutboxOptions } from "./cluster/outbox.ts"
import type { ChatConfig } from "./config.ts"
import { createHub, type Hub } from "./delivery/hub.ts"
import { createPublisher } from "./delivery/publisher.ts"
import { createReplaySemaphore } from "./delivery/replay-semaphore.ts"
import { createDirectory, type Directory } from "./directory.ts"
import { createAdmission } from "./domain/admission.ts"
import { createAllowance } from "./domain/allowance.ts"
import { createAppender } from "./domain/appender.ts"
import { fewAtOnce } from "./domain/at-once.ts"
import { createGroups } from "./domain/groups.ts"
import { createMessages } from "./domain/messages.ts"
import { createReader } from "./domain/reader.ts"
import { createReceipts } from "./domain/receipts.ts"
import { createSettings } from "./domain/settings.ts"
import { createStateCache } from "./domain/state-cache.ts"
import { createStoredBytes } from "./domain/stored-bytes.ts"
import type { Services } from "./graphql/context.ts"
import { createEvents } from "./graphql/events.ts"
import { resolvers } from "./graphql/resolvers.ts"
import typeDefs from "./graphql/schema.graphql" with { type: "text" }
import { createSubscriptionCompiler } from "./graphql/subscription-compiler.ts"
import { WRITE_LIMITS } from "./limits.ts"
import { createChatMetrics } from "./metrics.ts"
import { openStore, type Store } from "./store/store.ts"
import { createTracing } from "./tracing.ts"

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
  lateWrites: OutboxOptions["times"]
  /** How soon the node goes on without a bus that is away. */
  lookout: LookoutOptions["times"]
}

export interface ChatContainer extends AsyncDisposable {
  schema: ReturnType<typeof buildSubgraphSchema>
  services: Services
  hub: Hub
  bus: Bus
  tokens: TokenVerifier
  log: Logger
  tracer: Tracer | undefined
  /** Where an operator wants to read them. */
  metrics: Metrics | undefined
  openEvents: ReturnType<typeof createEvents>
  /** How this node's thread is shared out. */
  turns: Turns
  /** How many partitions the users' channels are. */
  partitions: number
  /** Takes part in the cluster until the end, as a node that gateways reach at that URL; undefined where the store is not shared. */
  join(url: string): Cluster | undefined
  /** Resolves where the store answers. The bus may be away: nearly everything works without it. */
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
  const chatMetrics = metrics && createChatMetrics(metrics)
  const opened = overrides.store ?? (await openStore(config, log))
  const store = chatMetrics ? chatMetrics.store(opened) : opened
  const engine = overrides.bus ?? (await openBus(config, log))
  const tracer = overrides.tracer ?? (await openTracer("chat", config.observability?.traces, log))
  const tracing = createTracing(log, tracer)
  const { nodes } = store
  const now = () => performance.now()
  const outbox =
    nodes && createOutbox({ newLife: () => crypto.randomUUID(), now, times: overrides.lateWrites })
  const others = nodes && outbox && createOthers({ nodes, self: () => outbox.node, now })
  const bus = others ? withLookout({ bus: engine, others, log, times: overrides.lookout }) : engine
  const turns = createTurns()
  const hub = createHub({ store, bus, log, tracing })
  const states = createStateCache(store)
  const publisher = createPublisher({ hub, bus, states, tracing })

  const onStored = publisher.entryStored
  const limits = config.writeLimits ?? WRITE_LIMITS
  const onLimited = chatMetrics?.onLimited
  const { usage, people } = store
  const allowance = createAllowance({ limits, onLimited })
  const admission = createAdmission({ people, usage, limits, clock, onLimited })
  const storedBytes = createStoredBytes({ usage, limits, clock, log, onLimited })
  const appender = createAppender({
    ...{ store, states, clock, onStored, outbox, tracing },
    onRefused: () => onLimited?.("waiting"),
  })
  const messages = createMessages({ store, appender, clock, allowance, storedBytes })
  const services: Services = {
    store,
    states,
    reader: createReader(store),
    messages: chatMetrics ? chatMetrics.messages(messages) : messages,
    groups: fewAtOnce(
      createGroups({
        ...{ appender, states, store, directory, admission, allowance, clock, newId },
      }),
    ),
    receipts: fewAtOnce(
      createReceipts({ store, states, allowance, onMoved: publisher.receiptMoved }),
    ),
    settings: createSettings(people, allowance),
  }

  let cluster: Cluster | undefined
  chatMetrics?.watch({ hub, bus, appender, outbox: outbox, cluster: () => cluster })
  const schema = chatSchema()
  const compiler = createSubscriptionCompiler(schema, services, turns, log)
  return {
    schema,
    services,
    hub,
    bus,
    tokens,
    log,
    tracer,
    metrics,
    openEvents: createEvents(schema, compiler, {
      ...{ hub, store, log, turns, clock, semaphore: createReplaySemaphore() },
      onReplay: chatMetrics?.onReplay,
    }),
    turns,
    partitions: bus.partitions,
    join(url) {
      if (!nodes || !outbox || !others) return undefined
      const announce = publisher.entryStored
      const announceRange = createAnnouncer({ nodes, states, announce })
      const { beatEvery } = overrides
      cluster = joinCluster({
        ...{ nodes, outbox: outbox, announceRange, url, log, beatEvery },
        isMute: () => !bus.state().speaks,
        onSeen: others.see,
      })
      return cluster
    },
    ready: store.ping,
    async [Symbol.asyncDispose]() {
      // What has been stored is announced first: then there is nothing to leave to an heir.
      await bus[Symbol.asyncDispose]()
      await cluster?.leave()
      await storedBytes[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await tracer?.[Symbol.asyncDispose]()
      metrics?.[Symbol.dispose]()
    },
  }
}
