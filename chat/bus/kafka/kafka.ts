import { ConfigError } from "@parley/platform/config.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { KafkaMessage } from "kafkajs"
import { BUS_SIGNALS_SHARE } from "../../limits.ts"
import type { Bus, BusRecord } from "../bus.ts"
import { pause, within } from "../waiting.ts"
import { createQuestions, kafkaClients } from "./client.ts"
import { createReceiver } from "./receiver.ts"
import { decodeRecord, encodeRecords } from "./record.ts"
import { createSender } from "./sender.ts"
import { inspectTopics, makeMissingTopics, readRanges, topicsOf } from "./topics.ts"

export interface KafkaBusOptions {
  /** `host:port` of some of the cluster's brokers. */
  brokers: readonly string[]
  partitions: number
  log: Logger
  /** What the names of the topics begin with: several installations may share a cluster. */
  topicPrefix?: string
  /** How much may wait to be published. */
  maxWaiting?: { events: number; bytes: number }
}

/** How often the bus looks at the cluster; in ms. */
const LOOK_EVERY = 2_000
/** A cluster that does not answer at all must not keep a node from starting; in ms. */
const START_WITHIN = 5_000
/** What goes together costs one request: entries wait for up to so many ms, receipts for longer. */
const LINGER = { events: 5, signals: 20 }
/** The part of what may wait that each kind may fill. */
const SHARE = { events: 1, signals: BUS_SIGNALS_SHARE }
/** A flood of what is no record is told of now and then; in ms. */
const COMPLAIN_EVERY = 1_000

/**
 * Joins this node to the others through two topics, one partition of each being the channel of some users. Whatever
 * happens to the cluster, the bus goes on: what is published waits, what is held is received once it can be, and `ping`
 * says why not.
 * @throws ConfigError where the topics are not what they must be
 */
export async function openKafkaBus(options: KafkaBusOptions): Promise<Bus> {
  const { partitions, log } = options
  const id = crypto.randomUUID()
  const topics = topicsOf(options.topicPrefix ?? "")
  const newClient = kafkaClients(options.brokers, "parley-chat", log)
  const questions = createQuestions(newClient)
  const closed = new AbortController()
  let onRecord: (record: BusRecord) => void = () => {}
  let onGap: (partition: number) => void = () => {}
  let [received, setAside, gaps, complainedAt] = [0, 0, 0, Number.NEGATIVE_INFINITY]

  const sender = createSender({
    ...{ newClient, log, headers: { from: id } },
    ...{ maxEvents: options.maxWaiting?.events, maxBytes: options.maxWaiting?.bytes },
  })
  const receiver = createReceiver({
    ...{ newClient, log, partitions, onMessage },
    group: `${options.topicPrefix ?? ""}parley-chat-${id}`,
    topics: [topics.events, topics.signals],
    readRanges: () =>
      questions.ask(async (admin) => {
        const names = [topics.events, topics.signals]
        const ranges = names.map((topic) => readRanges(admin, topic, partitions))
        return new Map((await Promise.all(ranges)).map((range, i) => [names[i]!, range]))
      }),
    onGap(partition) {
      gaps += 1
      onGap(partition)
    },
  })

  function onMessage({ headers, value, offset }: KafkaMessage, topic: string, partition: number) {
    if (headers?.from?.toString() === id) return
    let record: BusRecord
    try {
      record = decodeRecord(value, headers)
    } catch (error) {
      setAside += 1
      const now = performance.now()
      if (now - complainedAt < COMPLAIN_EVERY) return
      complainedAt = now
      const reason = (error as Error).message
      return log.warn("record set aside", { topic, partition, offset, reason, setAside })
    }
    received += 1
    try {
      onRecord(record)
    } catch (error) {
      log.error("record not handled", { topic, partition, offset, error })
    }
  }

  // --- the state of the cluster, as of the last look

  let trouble: Error | undefined = new Error("it has not answered yet.")
  let incarnation: string | undefined
  let isPrepared = false
  let isOpen = false

  async function look(): Promise<void> {
    try {
      if (!isPrepared) {
        await questions.ask((admin) => makeMissingTopics(admin, topics, partitions))
        isPrepared = true
      }
      const found = await questions.ask((admin) => inspectTopics(admin, topics))
      if (incarnation !== undefined && found !== incarnation)
        receiver.loseTrack("the topics were made anew")
      incarnation = found
      await receiver.check()
      if (closed.signal.aborted) return
      receiver.start()
      sender.warmUp()
      if (trouble) log.info("kafka is in use", { ...topics, partitions })
      trouble = undefined
    } catch (error) {
      isPrepared = false
      if (closed.signal.aborted) return
      const isNews = trouble?.message !== (error as Error).message
      trouble = error as Error
      if (!isNews) return
      if (!(error instanceof ConfigError)) log.warn("kafka does not answer", { error })
      // Before that it is thrown.
      else if (isOpen) log.error("kafka cannot be used", { error })
    }
  }

  async function keepLooking(first: Promise<void>): Promise<void> {
    await first
    while (!closed.signal.aborted) {
      await pause(trouble ? LOOK_EVERY / 4 : LOOK_EVERY, closed.signal)
      if (!closed.signal.aborted) await look()
    }
  }

  async function close(): Promise<void> {
    closed.abort()
    await Promise.all([sender.close(), receiver.close()])
    await questions.close()
  }

  const first = look()
  void keepLooking(first)
  await within(first, START_WITHIN, "").catch(() => {})
  if (trouble instanceof ConfigError) {
    await close()
    throw trouble
  }
  isOpen = true

  return {
    partitions,
    publish(event, users) {
      const kind = event.kind === "entry" ? "events" : "signals"
      const records = encodeRecords(event, users(), partitions)
      const { conversation } = event.kind === "entry" ? event.entry : event
      const about = { conversation, linger: LINGER[kind], share: SHARE[kind] }
      return sender.send(topics[kind], records, about)
    },
    hold: receiver.hold,
    release: receiver.release,
    onRecord(handler) {
      onRecord = handler
    },
    onGap(handler) {
      onGap = handler
    },
    state: () => ({ hears: receiver.hears, speaks: !sender.isStuck }),
    async ping() {
      const reason =
        trouble ??
        sender.trouble ??
        (receiver.isJoined ? undefined : new Error("the node has not joined yet."))
      if (reason) throw unavailable(`Kafka cannot be used: ${reason.message}`, reason)
    },
    stats: () => ({
      ...{ held: receiver.held, lag: receiver.lag, joins: receiver.joins },
      ...{ waiting: sender.waiting, waitingBytes: sender.waitingBytes },
      ...{ received, setAside, gaps, absences: 0, found: 0 },
    }),
    [Symbol.asyncDispose]: close,
  }
}
