import type { Logger } from "@parley/platform/log.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { ChatConfig } from "../config.ts"
import type { Entry } from "../domain/entry.ts"
import type { Receipt } from "../domain/receipts.ts"

/**
 * What joins nodes: something happened that concerns users who may be connected elsewhere. What brought it about goes
 * beside it, for the logs, and is no part of it.
 */
export type BusEvent = ({ kind: "entry"; entry: Entry } | Receipt) & { cause?: RequestContext }

export interface BusRecord {
  event: BusEvent
  /** Of those whom the event concerns, the users of the record's partition. */
  users: string[]
}

/**
 * Carries events to the nodes that have the users concerned. The channel of a user is a partition; a node receives the
 * partitions that it holds, in the order of each and of each kind of event, and never its own records. A record may
 * come twice, and one may come before another that the log has first: a node that receives it goes by the log's seq.
 */
export interface Bus extends AsyncDisposable {
  readonly partitions: number
  /**
   * Publishes an event to the channels of the users it concerns, one record per partition. What cannot be published now
   * waits its turn, and resolves once other nodes will receive it; undefined where there are none. `users` is asked for
   * only where another node may be listening, and before this returns. Rejects with UNAVAILABLE where too much waits
   * already, or the bus is closed before its turn comes.
   */
  publish(event: BusEvent, users: () => readonly string[]): Promise<void> | undefined
  /**
   * Resolves once every later record of the partition will be received. Rejects with UNAVAILABLE where that takes too
   * long; the partition is wanted all the same, until it is released.
   */
  hold(partition: number): Promise<void>
  release(partition: number): void
  /** Set once, before anything is held. */
  onRecord(handler: (record: BusRecord) => void): void
  /**
   * Set once, before anything is held. Told of a partition that is held and may have missed records; later ones are
   * received. What was missed is in the log.
   */
  onGap(handler: (partition: number) => void): void
  /** What of it works just now. While it does not, nothing is lost, and much comes late: see `chat/cluster/lookout.ts`. */
  state(): BusState
  /** Resolves where this node is joined to the others; rejects with the reason where it is not just now. */
  ping(): Promise<void>
  stats(): BusStats
}

/** Two nodes may see it differently: each has connections of its own. */
export interface BusState {
  /** Records of other nodes get here. False some 1 s after they do not any more. */
  hears: boolean
  /** What this node publishes gets to the bus. False some 1 s after something could not be published. */
  speaks: boolean
}

/** For an operator who watches a node. */
export interface BusStats {
  /** Partitions that are held. */
  held: number
  /** Events that wait to be published, and their bytes. */
  waiting: number
  waitingBytes: number
  /** Records that the held partitions have and this node has not received, as of some seconds ago. */
  lag: number
  /** Since the start: records of others that were received, records that are none, and partitions that had a gap. */
  received: number
  setAside: number
  gaps: number
  /** How often this node has taken its place at the bus: once, and again after each loss of it. */
  joins: number
  /** How often this node had to go on without the bus, and how many entries of others it read from the store then. */
  absences: number
  found: number
}

/** One record per partition among the users. */
export function toRecords(
  event: BusEvent,
  users: readonly string[],
  partitions: number,
): Map<number, BusRecord> {
  const records = new Map<number, BusRecord>()
  for (const user of users) {
    const partition = partitionOf(user, partitions)
    const record = records.get(partition)
    if (record) record.users.push(user)
    else records.set(partition, { event, users: [user] })
  }
  return records
}

/**
 * Opens the bus that the configuration names: the one place that knows the engines.
 * @throws ConfigError where Kafka's topics are not what the configuration says. A Kafka that is away is waited for in
 * the background.
 */
export async function openBus({ cluster }: Pick<ChatConfig, "cluster">, log: Logger): Promise<Bus> {
  if (cluster) {
    const { openKafkaBus } = await import("./kafka/kafka.ts")
    return openKafkaBus({ brokers: cluster.kafkaBrokers, partitions: cluster.partitions, log })
  }
  const { createInProcessExchange } = await import("./in-process.ts")
  return createInProcessExchange().join()
}
