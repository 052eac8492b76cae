import { ConfigError } from "@parley/service/config.ts"
import { type Admin, ConfigResourceTypes } from "kafkajs"

/** What is published where. */
export interface Topics {
  /** Entries: what a conversation's log holds. */
  events: string
  /** What is worth something only now: receipts. */
  signals: string
}

export const topicsOf = (prefix: string): Topics => ({
  events: `${prefix}user-events`,
  signals: `${prefix}user-signals`,
})

/** From the oldest record there is to where the next one will be. */
export interface Range {
  low: number
  high: number
}

const MINUTE = 60_000
/** At least this much must be allowed in one batch; in bytes. Kafka's own default is a little more. */
const MAX_MESSAGE = 1_000_000
const LEADERS_WITHIN = 5_000

/** Records have to outlive a reconnect, no more: who comes later reads the log. */
const SETTINGS: Record<keyof Topics, Record<string, string>> = {
  events: { "retention.ms": `${60 * MINUTE}`, "segment.ms": `${10 * MINUTE}` },
  signals: { "retention.ms": `${MINUTE}`, "segment.ms": `${MINUTE}` },
}
const COMMON = {
  "cleanup.policy": "delete",
  "max.message.bytes": "1048588",
  // A record that somebody compressed in a way we cannot read would stop whoever receives its partition.
  "compression.type": "uncompressed",
  // A node whose clock is wrong neither makes its records old at once, nor has them refused as too new.
  "message.timestamp.type": "LogAppendTime",
}

/**
 * Makes the topics that are missing, and checks those that are there.
 * @returns whether any was missing
 * @throws ConfigError where a topic has another number of partitions, or takes no records of our size
 */
export async function prepareTopics(
  admin: Admin,
  topics: Topics,
  partitions: number,
): Promise<boolean> {
  const existing = new Set(await admin.listTopics())
  const missing = kinds(topics).filter((kind) => !existing.has(topics[kind]))
  if (missing.length > 0) await makeTopics(admin, topics, missing, partitions)
  for (const kind of kinds(topics)) {
    await checkPartitions(admin, topics[kind], partitions)
    await checkMessageSize(admin, topics[kind])
  }
  return missing.length > 0
}

const kinds = (topics: Topics) => Object.keys(topics) as (keyof Topics)[]

async function makeTopics(
  admin: Admin,
  topics: Topics,
  missing: (keyof Topics)[],
  numPartitions: number,
): Promise<void> {
  const { brokers } = await admin.describeCluster()
  const replicationFactor = Math.min(3, brokers.length)
  const copies = { "min.insync.replicas": `${Math.max(1, replicationFactor - 1)}` }
  const entries = (kind: keyof Topics) =>
    Object.entries({ ...COMMON, ...SETTINGS[kind], ...copies }).map(([name, value]) => ({
      name,
      value,
    }))
  // Of several nodes that come here at once one makes them. Waiting for leaders here fails where a broker has not heard
  // of the topic yet.
  await admin.createTopics({
    waitForLeaders: false,
    topics: missing.map((kind) => ({
      ...{ topic: topics[kind], numPartitions, replicationFactor },
      configEntries: entries(kind),
    })),
  })
}

/** Waits some seconds for the leaders of a topic that has just been made. @throws ConfigError */
async function checkPartitions(admin: Admin, topic: string, partitions: number): Promise<void> {
  for (const deadline = performance.now() + LEADERS_WITHIN; ; await Bun.sleep(100)) {
    try {
      await readRanges(admin, topic, partitions)
      return
    } catch (error) {
      if (error instanceof ConfigError || performance.now() > deadline) throw error
    }
  }
}

/** @throws ConfigError */
function mustBe(partitions: number, found: number, topic: string): void {
  if (found === partitions) return
  throw new ConfigError(
    `KAFKA_PARTITIONS is ${partitions} and the topic ${topic} has ${found}: set KAFKA_PARTITIONS=${found} on every node, or delete both topics while no node runs.`,
  )
}

/** @throws ConfigError */
async function checkMessageSize(admin: Admin, name: string): Promise<void> {
  const setting = "max.message.bytes"
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configNames: [setting] }],
  })
  const found = resources[0]?.configEntries.find(({ configName }) => configName === setting)
  if (!found || Number(found.configValue) >= MAX_MESSAGE) return
  throw new ConfigError(
    `The topic ${name} takes messages of ${found.configValue} bytes at most: set its max.message.bytes to ${MAX_MESSAGE} or more.`,
  )
}

/** @throws ConfigError where the topic has another number of partitions, and whatever the cluster says. */
export async function readRanges(
  admin: Admin,
  topic: string,
  partitions: number,
): Promise<Range[]> {
  const offsets = await admin.fetchTopicOffsets(topic)
  mustBe(partitions, offsets.length, topic)
  const ranges: Range[] = []
  for (const { partition, low, high } of offsets) {
    ranges[partition] = { low: Number(low), high: Number(high) }
  }
  return ranges
}
