import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { Consumer, EachBatchPayload } from "kafkajs"
import { BUS_FETCH_BYTES, BUS_FETCH_BYTES_PER_PARTITION, BUS_SILENT_AFTER } from "../../limits.ts"
import { createPulse } from "../pulse.ts"
import { pause, within } from "../waiting.ts"
import { ANSWER_WITHIN, discard, type NewClient, RETRY } from "./client.ts"

/** One consumer of all partitions at a time, replaced by the next one whenever it fails. */
export interface Consumers {
  /** Begins to consume; of no partition, until it is told to. */
  start(): void
  /** Has the present consumer do something; one that is yet to join learns everything from `onJoin` then. */
  tell(instruct: (consumer: Consumer) => void): void
  replace(reason: Error): void
  readonly isJoined: boolean
  /** Whether the present consumer has joined, and every broker has answered its last fetch in time. */
  readonly hears: boolean
  /** How often a consumer has joined its group. */
  readonly joins: number
  close(): Promise<void>
}

export interface ConsumersOptions {
  newClient: NewClient
  /** What the names of the groups begin with. No other node is in them, so no two nodes share partitions. */
  group: string
  topics: readonly string[]
  partitions: number
  /** A consumer has joined its group, and everything is paused. It has forgotten where it was. */
  onJoin(): void
  onBatch(payload: EachBatchPayload): void
  /** One consumer after the other has failed for the same reason, which lies in the records. */
  onStopped(reason: string): void
  log: Logger
}

const TRY_AGAIN_AFTER = 500
/** The most that a record waits for others, and a partition that is resumed for its first one; in ms. */
const FETCH_WAIT = 50
/** Between two fetches that bring something, in ms: a fetch costs some hundred times what a record does. */
const REST = 5

/**
 * kafkajs can restart a consumer itself, but then waits until its old session at the broker has ended. A new consumer in
 * a new group waits for no other member.
 */
export function createConsumers(options: ConsumersOptions): Consumers {
  const { newClient, topics, partitions, log } = options
  const closed = new AbortController()
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  let consumer: Consumer | undefined
  let replace: (reason: Error) => void = () => {}
  const pulse = createPulse(BUS_SILENT_AFTER)
  let resting: Promise<void> | undefined
  let [isRunning, isJoined, joins] = [false, false, 0]

  async function run(): Promise<void> {
    let last: string | undefined
    for (let generation = 1; !closed.signal.aborted; generation++) {
      const begun = performance.now()
      const { error, hadJoined } = await live(`${options.group}-${generation}`)
      if (closed.signal.aborted) return
      // That there is no cluster is said elsewhere.
      const say = hadJoined ? log.warn : log.debug
      say("the consumer is replaced", { error })
      const isStopped = hadJoined && !isOfCluster(error)
      if (isStopped && error.message === last) options.onStopped(error.message)
      last = isStopped ? error.message : undefined
      if (performance.now() - begun < TRY_AGAIN_AFTER) await pause(TRY_AGAIN_AFTER, closed.signal)
    }
  }

  /** The life of one consumer: resolves with what ended it. */
  async function live(groupId: string): Promise<{ error: Error; hadJoined: boolean }> {
    const mine = newClient().consumer({
      ...{ groupId, sessionTimeout: 30_000, heartbeatInterval: 3_000, rebalanceTimeout: 5_000 },
      ...{ minBytes: 1, maxWaitTimeInMs: FETCH_WAIT },
      ...{ maxBytes: BUS_FETCH_BYTES, maxBytesPerPartition: BUS_FETCH_BYTES_PER_PARTITION },
      ...{ metadataMaxAge: 1_000, allowAutoTopicCreation: false },
      // No producer's open transaction stops this consumer.
      readUncommitted: true,
      retry: { ...RETRY, restartOnFailure: async () => false },
    })
    const over = Promise.withResolvers<Error>()
    replace = over.resolve
    let hadJoined = false
    pulse.rest()
    mine.on(mine.events.FETCH_START, ({ payload }) => {
      if (consumer === mine) pulse.begin(payload.nodeId, performance.now())
    })
    mine.on(mine.events.FETCH, ({ payload }) => {
      if (consumer === mine) pulse.end(payload.nodeId, performance.now())
    })
    mine.on(mine.events.CRASH, ({ payload }) => over.resolve(payload.error))
    // kafkajs calls this before it fetches anything; it may have forgotten what was paused.
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
      options.onJoin()
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
          if (consumer === mine) options.onBatch(payload)
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

  return {
    start() {
      if (isRunning) return
      isRunning = true
      void run()
    },

    tell(instruct) {
      if (!consumer || !isJoined) return
      try {
        instruct(consumer)
      } catch (error) {
        log.debug("the consumer is falling over", { error })
      }
    },

    replace: (reason) => replace(reason),

    get isJoined() {
      return isJoined
    },
    get hears() {
      return isJoined && pulse.beats(performance.now())
    },
    get joins() {
      return joins
    },

    async close() {
      closed.abort()
      const last = consumer
      replace(unavailable("The bus is closed."))
      if (last) await within(last.disconnect(), ANSWER_WITHIN, "").catch(() => {})
    },
  }
}

/** Whether a failure will pass with the cluster's or the network's troubles; what is left comes from records. */
function isOfCluster(error: Error & { retriable?: boolean; type?: string }): boolean {
  if (error.cause instanceof Error) return isOfCluster(error.cause)
  return error.retriable === true || error.type !== undefined
}
