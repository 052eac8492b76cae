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
   * Publishes an event to the channels of the users it concerns, one record per partition. Never fails: what cannot be
   * published now waits. `users` is asked for only where another node may be listening.
   */
  publish(event: BusEvent, users: () => readonly string[]): void
  /** Resolves once every later record of the partition will be received. */
  hold(partition: number): Promise<void>
  release(partition: number): void
  /** Set once, before anything is held. */
  onRecord(handler: (record: BusRecord) => void): void
}

/** The partition that is a user's channel: murmur2, as Kafka's own partitioner has it, over the user's id. */
export const partitionOf = (user: string, partitions: number): number =>
  (murmur2(Buffer.from(user)) & 0x7fffffff) % partitions

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

/** MurmurHash2, 32 bits, with the seed and the tail that Kafka's clients use. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let h = 0x9747b28c ^ data.length
  const whole = data.length & ~3
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(view.getInt32(i, true), m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = data.length - whole
  if (rest === 3) h ^= data[whole + 2]! << 16
  if (rest >= 2) h ^= data[whole + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ data[whole]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** Opens the bus that the configuration names: the one place that knows the engines. */
export async function openBus(): Promise<Bus> {
  const { createInProcessExchange } = await import("./in-process.ts")
  return createInProcessExchange().join()
}
