import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { type Message, Partitioners, type Producer } from "kafkajs"
import {
  BUS_CONVERSATION_SHARE,
  BUS_MAX_BYTES,
  BUS_MAX_BYTES_AT_ONCE,
  BUS_MAX_BYTES_PER_PARTITION,
  BUS_MAX_EVENTS,
  BUS_MAX_RECORDS_AT_ONCE,
  BUS_RECORD_OVERHEAD,
  BUS_SILENT_AFTER,
} from "../../limits.ts"
import { pause, within } from "../waiting.ts"
import { ANSWER_WITHIN, discard, type NewClient } from "./client.ts"
import type { WireRecord } from "./record.ts"

export interface Sender {
  /**
   * Resolves once the cluster has all of an event's records, in the order of the calls in each partition. A record may
   * get there twice.
   * @throws UNAVAILABLE where too much waits already, in all or of the same conversation, or the sender closes first
   */
  send(topic: string, records: readonly WireRecord[], about: Sending): Promise<void>
  /** Connects, so that the first event need not wait for that. */
  warmUp(): void
  /** What waits: events, and bytes. */
  readonly waiting: number
  readonly waitingBytes: number
  /** Why nothing gets through just now. */
  readonly trouble: Error | undefined
  /** Whether something waits that does not get through. */
  readonly isStuck: boolean
  /** Sends what waits, for some seconds at most. */
  close(): Promise<void>
}

export interface Sending {
  /** What it is of: one conversation fills a part of the queue at most. */
  conversation: string
  /** It waits for others that go with it, for up to so many ms. */
  linger: number
  /** The part of the queue that its kind may fill: 1 unless given. */
  share?: number
}

export interface SenderOptions {
  newClient: NewClient
  /** What every record says about where it comes from. */
  headers: Record<string, string>
  log: Logger
  maxEvents?: number
  maxBytes?: number
}

/** A batch of so many events says that much is going on: the next one waits for more, since requests cost, not records. */
const BUSY_FROM = 8
const BUSY_LINGER = 30
const FLUSH_WITHIN = 3_000
const TRY_AGAIN_AFTER = [100, 200, 500]

interface Parcel {
  topic: string
  message: Message & WireRecord
  event: PendingEvent
}

interface PendingEvent extends PromiseWithResolvers<void> {
  conversation: string
  records: number
}

/**
 * Sends batch after batch, one at a time: with several under way, kafkajs loses records when a broker freezes. Its
 * producer is idempotent, so that what it repeats itself gets there once; where it gives up, it is replaced, and the same
 * batch goes again.
 */
export function createSender(options: SenderOptions): Sender {
  const { newClient, headers, log, maxEvents = BUS_MAX_EVENTS, maxBytes = BUS_MAX_BYTES } = options
  const queue: Parcel[] = []
  const closing = new AbortController()
  const over = new AbortController()
  const all: Weight = { events: 0, bytes: 0 }
  const ofConversation = new Map<string, Weight>()
  let trouble: Error | undefined
  let producer: Promise<Producer> | undefined
  let sending: Promise<void> | undefined
  let underWay: Parcel[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let due = Number.POSITIVE_INFINITY
  let isBusy = false
  /** When the batch that is under way was sent; infinite where none is. */
  let begun = Number.POSITIVE_INFINITY

  function schedule(): void {
    if (sending || queue.length === 0) return
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        sending = sendBatch().finally(() => {
          sending = undefined
          begun = Number.POSITIVE_INFINITY
          schedule()
        })
      },
      closing.signal.aborted ? 0 : Math.max(0, due - performance.now()),
    )
  }

  async function sendBatch(): Promise<void> {
    underWay = takeBatch(queue)
    begun = performance.now()
    isBusy = new Set(underWay.map(({ event }) => event)).size >= BUSY_FROM
    due = queue.length > 0 ? performance.now() : Number.POSITIVE_INFINITY
    for (let tries = 0; underWay.length > 0; tries++) {
      if (tries > 0) await pause(TRY_AGAIN_AFTER[tries - 1] ?? 1_000, over.signal)
      if (over.signal.aborted) return
      const arrived = await attempt(underWay)
      for (const parcel of underWay) if (arrived(parcel)) settle(parcel)
      underWay = underWay.filter((parcel) => !arrived(parcel))
    }
  }

  /** Answers which records have arrived for sure. */
  async function attempt(parcels: Parcel[]): Promise<(parcel: Parcel) => boolean> {
    producer ??= connect()
    const used = producer
    try {
      const acknowledged = await (await used).sendBatch({
        ...{ acks: -1, timeout: ANSWER_WITHIN },
        topicMessages: [...Map.groupBy(parcels, ({ topic }) => topic)].map(([topic, some]) => ({
          topic,
          messages: some.map(({ message }) => message),
        })),
      })
      // Where leaders moved between two tries, kafkajs forgets partitions, and resolves all the same.
      const arrived = new Set(
        acknowledged.map(({ topicName, partition }) => `${topicName} ${partition}`),
      )
      const isComplete = parcels.every((parcel) => arrived.has(placeOf(parcel)))
      if (trouble && isComplete) log.info("events are published again")
      trouble = isComplete ? undefined : new Error("some partitions did not take their records")
      return (parcel) => arrived.has(placeOf(parcel))
    } catch (error) {
      if (!trouble) log.warn("events cannot be published just now", { error })
      trouble = error as Error
      producer = undefined
      used.then(discard, () => {})
      return () => false
    }
  }

  async function connect(): Promise<Producer> {
    const fresh = newClient().producer({
      ...{ idempotent: true, allowAutoTopicCreation: false, metadataMaxAge: 1_000 },
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await fresh.connect().catch((error) => {
      discard(fresh)
      throw error
    })
    return fresh
  }

  function settle({ message, event }: Parcel): void {
    const mine = ofConversation.get(event.conversation)!
    for (const weight of [all, mine]) weight.bytes -= weightOf(message)
    event.records -= 1
    if (event.records > 0) return
    for (const weight of [all, mine]) weight.events -= 1
    if (mine.events === 0) ofConversation.delete(event.conversation)
    event.resolve()
  }

  function abandon(parcels: Parcel[]): void {
    for (const { event } of parcels) event.reject(unavailable("The bus is closed."))
  }

  return {
    send(topic, records, { conversation, linger, share = 1 }) {
      if (closing.signal.aborted) return Promise.reject(unavailable("The bus is closed."))
      const bytes = records.reduce((sum, record) => sum + weightOf(record), 0)
      const mine = ofConversation.get(conversation) ?? { events: 0, bytes: 0 }
      const isFull = ({ events, bytes: before }: Weight, part: number) =>
        events >= maxEvents * part || before + bytes > maxBytes * part
      // The first of a conversation may be large; what it has to share is the queue.
      if (isFull(all, share) || (mine.events > 0 && isFull(mine, BUS_CONVERSATION_SHARE))) {
        return Promise.reject(unavailable("Too many events wait to be published."))
      }
      if (records.length === 0) return Promise.resolve()
      const event = { ...Promise.withResolvers<void>(), conversation, records: records.length }
      ofConversation.set(conversation, mine)
      for (const weight of [all, mine]) {
        weight.events += 1
        weight.bytes += bytes
      }
      for (const record of records) {
        const message = { ...record, headers: { ...headers, ...record.headers } }
        queue.push({ topic, message, event })
      }
      const goes = performance.now() + (isBusy ? Math.max(linger, BUSY_LINGER) : linger)
      if (goes < due) {
        due = goes
        schedule()
      }
      return event.promise
    },

    warmUp() {
      producer ??= connect()
      const early = producer
      early.catch(() => {
        if (producer === early) producer = undefined
      })
    },

    get waiting() {
      return all.events
    },
    get waitingBytes() {
      return all.bytes
    },
    get isStuck() {
      return trouble !== undefined || performance.now() - begun > BUS_SILENT_AFTER
    },
    get trouble() {
      return trouble
    },

    async close() {
      closing.abort()
      schedule()
      const flush = async () => {
        while (queue.length > 0 || sending) await (sending ?? pause(1, over.signal))
      }
      await within(flush(), FLUSH_WITHIN, "").catch(() => {})
      over.abort()
      clearTimeout(timer)
      abandon([...underWay, ...queue.splice(0)])
      await within((async () => (await producer)?.disconnect())(), ANSWER_WITHIN, "").catch(
        () => {},
      )
    },
  }
}

/** What waits. */
interface Weight {
  events: number
  bytes: number
}

const weightOf = ({ value }: WireRecord) => value.length + BUS_RECORD_OVERHEAD

const placeOf = ({ topic, message }: Parcel) => `${topic} ${message.partition}`

/** Takes as much from the head of the queue as may go at once. */
function takeBatch(queue: Parcel[]): Parcel[] {
  const perPartition = new Map<string, number>()
  let [count, bytes] = [0, 0]
  for (const parcel of queue) {
    const size = parcel.message.value.length
    const place = placeOf(parcel)
    const sum = (perPartition.get(place) ?? 0) + size
    const isFull =
      count === BUS_MAX_RECORDS_AT_ONCE ||
      bytes + size > BUS_MAX_BYTES_AT_ONCE ||
      sum > BUS_MAX_BYTES_PER_PARTITION
    if (isFull && count > 0) break
    perPartition.set(place, sum)
    count += 1
    bytes += size
  }
  return queue.splice(0, count)
}
