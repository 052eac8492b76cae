import type { Metrics } from "@parley/platform/metrics.ts"
import type { Bus, BusStats } from "./bus/bus.ts"
import type { Cluster } from "./cluster/cluster.ts"
import type { NodeOutbox } from "./cluster/outbox.ts"
import type { Hub } from "./delivery/hub.ts"
import type { Appender } from "./domain/appender.ts"

/** What of a node has metrics of its own. */
export interface Parts {
  hub: Hub
  bus: Bus
  appender: Appender
  /** Where there are other nodes. */
  outbox: NodeOutbox | undefined
  cluster(): Cluster | undefined
}

/** Reads what is live and what waits in a node, whenever its metrics are read. */
export function watchParts(metrics: Metrics, parts: Parts): void {
  const { hub, appender, outbox, cluster } = parts
  const gauge: Metrics["gauge"] = (name, ...rest) => metrics.gauge(`parley_chat_${name}`, ...rest)

  gauge(
    "sessions",
    "Subscriptions to events.",
    () => {
      const { live, replaying } = hub.stats()
      return { live, replaying }
    },
    "phase",
  )
  gauge("rooms", "Conversations with a subscription here.", () => hub.feeds)
  gauge("room_queue_events", "Events waiting in feeds.", () => ({ ...hub.stats().queued }), "of")
  gauge("append_queue_intents", "Writes waiting for their batch.", appender.waiting)

  watchBus(metrics, parts.bus)

  if (!outbox) return
  gauge(
    "outbox_unannounced_entries",
    "Entries stored here that other nodes may not have heard of.",
    () => outbox.stats().unannounced,
  )
  gauge(
    "outbox_doubts",
    "Writes that failed and may be in the log all the same.",
    () => outbox.stats().doubts,
  )
  gauge("estates", "Dead nodes whose heir this node is.", () => cluster()?.takeovers() ?? 0)
  gauge("nodes", "Nodes alive as this one sees it.", () => cluster()?.nodes().length ?? 0)
}

function watchBus(metrics: Metrics, bus: Bus): void {
  const gauge = (name: string, help: string, read: (stats: BusStats) => number) =>
    metrics.gauge(`parley_chat_bus_${name}`, help, () => read(bus.stats()))
  const total = (name: string, help: string, read: (stats: BusStats) => number) =>
    metrics.total(`parley_chat_bus_${name}_total`, help, () => read(bus.stats()))

  gauge("held_partitions", "Partitions with a subscription here.", ({ held }) => held)
  metrics.gauge(
    "parley_chat_bus_away",
    "1 while the bus does not work for this node, else 0, by what it cannot do.",
    () => {
      const { hears, speaks } = bus.state()
      return { hear: hears ? 0 : 1, speak: speaks ? 0 : 1 }
    },
    "to",
  )
  gauge("waiting_events", "Events waiting to be published.", ({ waiting }) => waiting)
  gauge("waiting_bytes", "The bytes of these.", ({ waitingBytes }) => waitingBytes)
  gauge("lag_records", "Records of held partitions not received yet.", ({ lag }) => lag)
  total("received_records", "Records of other nodes received.", ({ received }) => received)
  total("set_aside_records", "Records that are none of ours.", ({ setAside }) => setAside)
  total("gaps", "Held partitions that may have missed records.", ({ gaps }) => gaps)
  total("absences", "How often this node has gone on without the bus.", ({ absences }) => absences)
  total("found_entries", "Entries of others read from the store meanwhile.", ({ found }) => found)
  total("joins", "How often this node has taken its place at the bus.", ({ joins }) => joins)
}
