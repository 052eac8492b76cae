import { unavailable } from "@parley/service/errors.ts"
import type { Logger } from "@parley/service/log.ts"
import type { Consumer, EachBatchPayload, KafkaMessage } from "kafkajs"
import { ANSWER_WITHIN, discard, type NewClient, RETRY } from "./kafka-client.ts"
import type { Range } from "./kafka-topics.ts"
import { pause, within } from "./waiting.ts"

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
  readonly held: number
  readonly lag: number
  readonly joins: number
  close(): Promise<void>
}

export interface ReceiverOptions {
  newClient: NewClient
  /** The consumer's group is its own: nobody shares partitions with it. */
  group: string
  topics: readonly string[]
  partitions: number
  /** From the oldest to the newest record of each partition, for each topic. */
  readRanges(): Promise<ReadonlyMap<string, readonly Range[]>>
  onMessage(message: KafkaMessage, topic: string, partition: number): void
  onGap(partition: number): void
  log: Logger
  /** How long a partition may take to be held, in ms. */
  holdWithin?: number
}

const HOLD_WITHIN = 10_000
const TRY_AGAIN_AFTER = 500
/** The most that a record waits for others, and a partition that is newly held for its first one; in ms. */
const FETCH_WAIT = 50
/** Between two fetches that bring something, in ms: a fetch costs some hundred times what a record does. */
const REST = 5

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
 * Consumes the partitions that are held. Where each of them is stands here, not in Kafka and not in kafkajs: whenever a
 * consumer joins its group, all is paused, and what is held is sought and resumed. So a consumer can be replaced at any
 * time by a new one in a new group, which need not wait for the old one's session to end.
 */
export function createReceiver(options: ReceiverOptions): Receiver {
  const { newClient, topics, partitions, readRanges, log, holdWithin = HOLD_WITHIN } = options
  const channels = new Map<number, Channel>()
  const closed = new AbortController()
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  let consumer: Consumer | undefined
  let isRunning = false
  let replace: (reason: Error) => void = () => {}
  let opening = false
  let resting: Promise<void> | undefined
  let [isJoined, joins, lag] = [false, 0, 0]

  // --- positions

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
    tell((consumer) => {
      for (const [topic, offset] of next) {
        consumer.seek({ topic, partition, offset: `${offset}` })
        consumer.resume([{ topic, partitions: [partition] }])
      }
    })
  }

  const stop = (partition: number): void =>
    tell((consumer) => consumer.pause(topics.map((topic) => ({ topic, partitions: [partition] }))))

  /** A consumer that has not joined, or is falling over, learns everything when the next one joins. */
  function tell(instruct: (consumer: Consumer) => void): void {
    if (!consumer || !isJoined) return
    try {
      instruct(consumer)
    } catch (error) {
      log.debug("the consumer is not running", { error })
    }
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

  // --- consumers

  async function run(): Promise<void> {
    let last: string | undefined
    for (let generation = 1; !closed.signal.aborted; generation++) {
      const begun = performance.now()
      const failure = await live(`${options.group}-${generation}`)
      if (closed.signal.aborted) return
      const { message } = failure.error
      // That there is no cluster is said elsewhere.
      const say = failure.hadJoined ? log.warn : log.debug
      say("the consumer is replaced", { error: failure.error })
      // What stops one consumer after the other where it begins will not let the next one pass.
      const isStopped = failure.hadJoined && !isOfCluster(failure.error)
      if (isStopped && message === last) loseTrack(message)
      last = isStopped ? message : undefined
      if (performance.now() - begun < TRY_AGAIN_AFTER) await pause(TRY_AGAIN_AFTER, closed.signal)
    }
  }

  /** The life of one consumer: resolves with what ended it. */
  async function live(groupId: string): Promise<{ error: Error; hadJoined: boolean }> {
    const mine = newClient().consumer({
      ...{ groupId, sessionTimeout: 30_000, heartbeatInterval: 3_000, rebalanceTimeout: 5_000 },
      ...{ minBytes: 1, maxWaitTimeInMs: FETCH_WAIT, maxBytesPerPartition: 512 * 1024 },
      ...{ metadataMaxAge: 1_000, allowAutoTopicCreation: false },
      // Nobody's open transaction stops us.
      readUncommitted: true,
      retry: { ...RETRY, restartOnFailure: async () => false },
    })
    const over = Promise.withResolvers<Error>()
    replace = over.resolve
    let hadJoined = false
    mine.on(mine.events.CRASH, ({ payload }) => over.resolve(payload.error))
    // kafkajs calls this before it fetches anything; it has forgotten all positions, and may have forgotten pauses.
    mine.on(mine.events.GROUP_JOIN, ({ payload }) => {
      if (consumer !== mine) return
      hadJoined = isJoined = true
      joins += 1
      // One by one: a topic that is paused as a whole is resumed by the pause of a partition.
      mine.pause(
        topics.map((topic) => ({
          topic,
          partitions: [...new Set([...all, ...(payload.memberAssignment[topic] ?? [])])],
        })),
      )
      for (const [partition, { next }] of channels) if (next) place(partition, next)
    })
    consumer = mine
    const start = async () => {
      await mine.connect()
      await mine.subscribe({ topics: [...topics] })
      await mine.run({
        ...{ autoCommit: false, eachBatchAutoResolve: false },
        // All that a fetch brings is handled at once.
        partitionsConsumedConcurrently: topics.length * partitions,
        eachBatch: async (payload) => {
          if (consumer === mine) receive(payload)
          await rest()
        },
      })
    }
    start().catch(over.resolve)
    const error = await over.promise
    consumer = undefined
    isJoined = false
    discard(mine)
    return { error, hadJoined }
  }

  /** One rest for all that a fetch has brought: it has been handled by then, and the next fetch brings more. */
  function rest(): Promise<void> {
    resting ??= pause(REST, closed.signal).then(() => {
      resting = undefined
    })
    return resting
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
    start() {
      if (isRunning) return
      isRunning = true
      void run()
    },

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
      if (stuck) replace(new Error(`${stuck} does not move`))
    },

    loseTrack,

    get isJoined() {
      return isJoined
    },
    get held() {
      return channels.size
    },
    get lag() {
      return lag
    },
    get joins() {
      return joins
    },

    async close() {
      closed.abort()
      const last = consumer
      replace(unavailable("The bus is closed."))
      for (const { opened } of channels.values()) opened.reject(unavailable("The bus is closed."))
      if (last) await within(last.disconnect(), ANSWER_WITHIN, "").catch(() => {})
    },
  }
}

/** Whether a failure will pass with the cluster's or the network's troubles; what is left comes from records. */
function isOfCluster(error: Error & { retriable?: boolean; type?: string }): boolean {
  if (error.cause instanceof Error) return isOfCluster(error.cause)
  return error.retriable === true || error.type !== undefined
}
