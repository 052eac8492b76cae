import { unavailable } from "@parley/platform/errors.ts"
import type { EachBatchPayload, KafkaMessage } from "kafkajs"
import { pause, within } from "../waiting.ts"
import { type ConsumersOptions, createConsumers } from "./consumers.ts"
import type { Range } from "./topics.ts"

export interface Receiver {
  /** Begins to consume. What is held before waits for it. */
  start(): void
  /** As the port's. */
  hold(partition: number): Promise<void>
  release(partition: number): void
  /**
   * Compares where it is with where the topics are: what is behind and does not move gets a new consumer; where a
   * position is not in its topic any more, everything that is held begins anew from the newest.
   * @throws where the topics' ranges cannot be read
   */
  check(): Promise<void>
  /** Positions mean nothing any more: everything that is held begins anew from the newest, and may have missed records. */
  loseTrack(reason: string): void
  readonly isJoined: boolean
  /** Whether records get here just now. */
  readonly hears: boolean
  readonly held: number
  readonly lag: number
  readonly joins: number
  close(): Promise<void>
}

type Inherited = "newClient" | "group" | "topics" | "partitions" | "log"

export interface ReceiverOptions extends Pick<ConsumersOptions, Inherited> {
  /** From the oldest to the newest record of each partition, for each topic. */
  readRanges(): Promise<ReadonlyMap<string, readonly Range[]>>
  onMessage(message: KafkaMessage, topic: string, partition: number): void
  onGap(partition: number): void
  /** How long a partition may take to be held, in ms. */
  holdWithin?: number
}

const HOLD_WITHIN = 10_000
const TRY_AGAIN_AFTER = 500
/** A consumer that has not joined its group by then hangs. */
const MAX_LOOKS_WITHOUT_JOINING = 6

/** A partition that is held, in all topics. */
interface Channel {
  /** Resolves once its positions are known. */
  opened: PromiseWithResolvers<void>
  /** In each topic, the offset of the next record to receive; undefined until they are known. */
  next: Map<string, number> | undefined
  /** Where it was when it was last seen behind. */
  behind: Map<string, number>
}

/**
 * Receives the partitions that are held. Where each of them is stands here, not in Kafka and not in kafkajs, which forgets
 * it whenever a consumer joins its group: then all is paused, and what is held is sought and resumed.
 */
export function createReceiver(options: ReceiverOptions): Receiver {
  const { topics, readRanges, log, holdWithin = HOLD_WITHIN } = options
  const channels = new Map<number, Channel>()
  const closed = new AbortController()
  let [opening, lag, looksWithoutJoining] = [false, 0, 0]

  const consumers = createConsumers({
    ...options,
    onJoin() {
      looksWithoutJoining = 0
      for (const [partition, { next, behind }] of channels) {
        behind.clear()
        if (next) place(partition, next)
      }
    },
    onBatch: receive,
    onStopped: loseTrack,
  })

  async function open(): Promise<void> {
    if (opening) return
    opening = true
    for (let wanted = unopened(); wanted.length > 0; wanted = unopened()) {
      // Read after it was asked for: nothing from before is received, and everything from now on is.
      const ranges = await readRanges().catch((error) => {
        log.debug("partitions cannot be held just now", { error })
      })
      if (closed.signal.aborted) break
      if (!ranges) await pause(TRY_AGAIN_AFTER, closed.signal)
      else for (const [partition, channel] of wanted) begin(partition, channel, ranges)
    }
    opening = false
  }

  const unopened = () => [...channels].filter(([, { next }]) => !next)

  function begin(
    partition: number,
    channel: Channel,
    ranges: ReadonlyMap<string, readonly Range[]>,
  ): void {
    if (channels.get(partition) !== channel) return
    channel.next = new Map(topics.map((topic) => [topic, ranges.get(topic)![partition]!.high]))
    place(partition, channel.next)
    channel.opened.resolve()
  }

  function place(partition: number, next: ReadonlyMap<string, number>): void {
    consumers.tell((consumer) => {
      for (const [topic, offset] of next) {
        consumer.seek({ topic, partition, offset: `${offset}` })
        consumer.resume([{ topic, partitions: [partition] }])
      }
    })
  }

  function stop(partition: number): void {
    consumers.tell((consumer) =>
      consumer.pause(topics.map((topic) => ({ topic, partitions: [partition] }))),
    )
  }

  const newChannel = (): Channel => {
    const opened = Promise.withResolvers<void>()
    opened.promise.catch(() => {})
    return { opened, next: undefined, behind: new Map() }
  }

  function loseTrack(reason: string): void {
    const gaps = [...channels].filter(([, { next }]) => next).map(([partition]) => partition)
    if (gaps.length === 0) return
    log.warn("records may have been missed", { reason, partitions: gaps.length })
    for (const partition of gaps) {
      stop(partition)
      channels.set(partition, newChannel())
    }
    void open()
    for (const partition of gaps) options.onGap(partition)
  }

  function receive({ batch, resolveOffset, isStale }: EachBatchPayload): void {
    const { topic, partition, messages } = batch
    // Its partition has been sought since it was fetched: it comes again, if it is wanted.
    if (isStale()) return
    const channel = channels.get(partition)
    const next = channel?.next
    if (!next) {
      stop(partition)
      return
    }
    const [first, end] = [Number(batch.firstOffset()), Number(batch.lastOffset()) + 1]
    const expected = next.get(topic)
    next.set(topic, end)
    resolveOffset(batch.lastOffset())
    for (const message of messages) {
      if (channels.get(partition) !== channel) return
      options.onMessage(message, topic, partition)
    }
    if (first !== expected) {
      loseTrack(`${topic} ${partition} goes on at ${first} instead of ${expected}`)
    }
  }

  return {
    start: consumers.start,

    hold(partition) {
      const channel = channels.get(partition) ?? newChannel()
      channels.set(partition, channel)
      if (!channel.next) void open()
      return within(channel.opened.promise, holdWithin, "The bus cannot be reached just now.")
    },

    release(partition) {
      const channel = channels.get(partition)
      if (!channel) return
      channels.delete(partition)
      stop(partition)
      channel.opened.reject(unavailable("The partition has been released."))
    },

    async check() {
      // What has been received until now must be there when the ranges are read afterwards.
      const before = [...channels].flatMap(([partition, channel]) =>
        [...(channel.next ?? [])].map(([topic, next]) => ({ partition, channel, topic, next })),
      )
      const ranges = await readRanges().catch((error) => {
        // Nothing moves while the cluster is away.
        for (const { behind } of channels.values()) behind.clear()
        throw error
      })
      let [sum, stuck] = [0, ""]
      for (const { partition, channel, topic, next } of before) {
        if (channels.get(partition) !== channel) continue
        const { low, high } = ranges.get(topic)![partition]!
        const place = `${topic} ${partition}`
        if (next < low || next > high) {
          return loseTrack(`${place} has ${low} to ${high}, and ${next} would be the next`)
        }
        sum += high - next
        if (high > next && channel.behind.get(topic) === next) stuck = place
        if (high > next) channel.behind.set(topic, next)
        else channel.behind.delete(topic)
      }
      lag = sum
      if (!stuck) return
      // A broker may let a new group wait for further members (3 s, unless it is told otherwise), and nothing moves then.
      if (!consumers.isJoined && ++looksWithoutJoining < MAX_LOOKS_WITHOUT_JOINING) return
      looksWithoutJoining = 0
      consumers.replace(new Error(`${stuck} does not move`))
    },

    loseTrack,

    get isJoined() {
      return consumers.isJoined
    },
    get hears() {
      return consumers.hears
    },
    get held() {
      return channels.size
    },
    get lag() {
      return lag
    },
    get joins() {
      return consumers.joins
    },

    async close() {
      closed.abort()
      for (const { opened } of channels.values()) opened.reject(unavailable("The bus is closed."))
      await consumers.close()
    },
  }
}
