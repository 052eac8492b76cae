import { ConfigError } from "@parley/platform/config.ts"
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
const MESSAGE_SIZE = "max.message.bytes"
const LEADERS_WITHIN = 5_000
/**
 * Up to how many ms before its time a segment is closed: any time will do, so each topic gets one of its own. Offsets do
 * not tell a topic from its successor once that has as many records, and kafkajs does not know of Kafka's own ids.
 */
const INCARNATION = "segment.jitter.ms"
const MAX_JITTER = 30_000

/** Records have to outlive a reconnect, no more: who comes later reads the log. */
const SETTINGS: Record<keyof Topics, Record<string, string>> = {
  events: { "retention.ms": `${60 * MINUTE}`, "segment.ms": `${10 * MINUTE}` },
  signals: { "retention.ms": `${MINUTE}`, "segment.ms": `${MINUTE}` },
}
const COMMON = {
  "cleanup.policy": "delete",
  [MESSAGE_SIZE]: "1048588",
  // A record that is compressed in a way that the node cannot read would stop every node that receives its partition.
  "compression.type": "uncompressed",
  // A node whose clock is wrong neither makes its records old at once, nor has them refused as too new.
  "message.timestamp.type": "LogAppendTime",
}

/**
 * Makes the topics that are missing, and waits some seconds for their leaders.
 * @throws ConfigError where one has another number of partitions
 */
export async function makeMissingTopics(
  admin: Admin,
  topics: Topics,
  partitions: number,
): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const kinds = Object.keys(topics) as (keyof Topics)[]
  const missing = kinds.filter((kind) => !existing.has(topics[kind]))
  if (missing.length === 0) return
  const { brokers } = await admin.describeCluster()
  const replicationFactor = Math.min(3, brokers.length)
  // Of several nodes that come here at once one makes them. Waiting for leaders here fails where a broker has not heard
  // of the topic yet.
  await admin.createTopics({
    waitForLeaders: false,
    topics: missing.map((kind) => ({
      ...{ topic: topics[kind], numPartitions: partitions, replicationFactor },
      configEntries: settingsOf(kind, replicationFactor),
    })),
  })
  for (const kind of missing) await waitForLeaders(admin, topics[kind], partitions)
}

function settingsOf(kind: keyof Topics, copies: number): { name: string; value: string }[] {
  const settings = {
    ...COMMON,
    ...SETTINGS[kind],
    "min.insync.replicas": `${Math.max(1, copies - 1)}`,
    [INCARNATION]: `${1 + Math.floor(Math.random() * MAX_JITTER)}`,
  }
  return Object.entries(settings).map(([name, value]) => ({ name, value }))
}

async function waitForLeaders(admin: Admin, topic: string, partitions: number): Promise<void> {
  for (const deadline = performance.now() + LEADERS_WITHIN; ; await Bun.sleep(100)) {
    try {
      await readRanges(admin, topic, partitions)
      return
    } catch (error) {
      if (error instanceof ConfigError || performance.now() > deadline) throw error
    }
  }
}

/**
 * Reads the topics' settings.
 * @returns what tells them from topics of the same names that an operator makes after these have been deleted
 * @throws ConfigError where one takes no records of our size
 */
export async function inspectTopics(admin: Admin, topics: Topics): Promise<string> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: Object.values(topics).map((name) => ({
      ...{ type: ConfigResourceTypes.TOPIC, name, configNames: [MESSAGE_SIZE, INCARNATION] },
    })),
  })
  const incarnations = resources.map(({ resourceName, configEntries }) => {
    const setting = new Map(configEntries.map((entry) => [entry.configName, entry.configValue]))
    const size = Number(setting.get(MESSAGE_SIZE) ?? MAX_MESSAGE)
    if (size >= MAX_MESSAGE) return setting.get(INCARNATION)
    throw new ConfigError(
      `The topic ${resourceName} takes messages of ${size} bytes at most: set its ${MESSAGE_SIZE} to ${MAX_MESSAGE} or more.`,
    )
  })
  return incarnations.join(" ")
}

/** @throws ConfigError */
function mustBe(partitions: number, found: number, topic: string): void {
  if (found === partitions) return
  throw new ConfigError(
    `KAFKA_PARTITIONS is ${partitions} and the topic ${topic} has ${found}: set KAFKA_PARTITIONS=${found} on every node, or delete both topics while no node runs.`,
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
