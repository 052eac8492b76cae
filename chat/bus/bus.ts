import { partitionOf } from "@parley/service/partition.ts"
import type { Entry } from "../domain/entry.ts"
import type { Receipt } from "../domain/receipts.ts"

/** What joins nodes: something happened that concerns users who may be connected elsewhere. */
export type BusEvent = { kind: "entry"; entry: Entry } | Receipt

export interface BusRecord {
  event: BusEvent
  /** Of those whom the event concerns, the users of the record's partition. */
  users: string[]
}

/**
 * Carries events to the nodes that have the users concerned. The channel of a user is a partition; a node receives the
 * partitions that it holds, in the order of each, and never its own records. A record may come twice, and one may come
 * before another that the log has first: whoever receives it goes by the log's seq.
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
  /** Resolves once every later record of the partition will be received. */
  hold(partition: number): Promise<void>
  release(partition: number): void
  /** Set once, before anything is held. */
  onRecord(handler: (record: BusRecord) => void): void
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

/** Opens the bus that the configuration names: the one place that knows the engines. */
export async function openBus(): Promise<Bus> {
  const { createInProcessExchange } = await import("./in-process.ts")
  return createInProcessExchange().join()
}
