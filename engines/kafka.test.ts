import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka as Client, logLevel, Partitioners, type Producer } from "kafkajs"
import { type Kafka, startKafka } from "./kafka.ts"
import { until } from "./test/until.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

/** The first start fetches. */
const FETCHED_WITHIN = 25 * 60_000

const report = (line: string) => process.stderr.write(`• ${line}\n`)

let kafka: Kafka
const dataDir = mkdtempSync(join(tmpdir(), "parley-kafka-test-"))

beforeAll(async () => {
  kafka = await startKafka({ dataDir, report })
}, FETCHED_WITHIN)

afterAll(async () => {
  await kafka.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const clientOf = ({ brokers }: Kafka) =>
  new Client({
    brokers: brokers.split(","),
    logLevel: logLevel.NOTHING,
    requestTimeout: 5_000,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 1_000 },
  })

async function createTopic(kafka: Kafka, topic: string, numPartitions: number): Promise<void> {
  const admin = clientOf(kafka).admin()
  await admin.connect()
  // With `waitForLeaders` it fails where a broker has not heard of the topic yet.
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false })
  await until(`${topic} has its leaders`, async () => {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)
    const partitions = metadata?.topics[0]?.partitions ?? []
    return partitions.length === numPartitions && partitions.every(({ leader }) => leader > 0)
  })
  await admin.disconnect()
}

async function producerOf(kafka: Kafka): Promise<Producer> {
  const producer = clientOf(kafka).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  return producer
}

const send = (producer: Producer, topic: string, values: string[]) =>
  producer.send({ topic, acks: -1, messages: values.map((value) => ({ key: "alice", value })) })

/** The first `count` records of a topic of one partition, as a new group reads them. */
async function read(kafka: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = clientOf(kafka).consumer({
    groupId: `bob-${crypto.randomUUID()}`,
    maxWaitTimeInMs: 50,
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(String(message.value))
      if (values.length >= count) resolve()
    },
  })
  await promise
  await consumer.disconnect()
  return values
}

test("answers metadata and makes topics of many partitions", async () => {
  await createTopic(kafka, "user-events", 64)
  const admin = clientOf(kafka).admin()
  await admin.connect()
  const cluster = await admin.describeCluster()
  expect(cluster.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual([kafka.brokers])
  const { topics } = await admin.fetchTopicMetadata({ topics: ["user-events"] })
  expect(topics[0]?.partitions).toHaveLength(64)
  // A topic that was never created is not there.
  expect(await admin.listTopics()).not.toContain("user-signals")
  await admin.disconnect()
})

test("carries records from a producer to a consumer, in order", async () => {
  await createTopic(kafka, "order", 1)
  const producer = await producerOf(kafka)
  const sent = Array.from({ length: 200 }, (_, index) => `message ${index}`)
  for (let from = 0; from < sent.length; from += 20) {
    await send(producer, "order", sent.slice(from, from + 20))
  }
  await producer.disconnect()
  expect(await read(kafka, "order", sent.length)).toEqual(sent)
})

test("is back with every acknowledged record after a kill, under the same address", async () => {
  await createTopic(kafka, "killed", 1)
  const producer = await producerOf(kafka)
  await send(producer, "killed", ["before"])
  const { brokers, pids } = kafka
  await kafka.kill()
  // Its client tries again until a broker answers.
  const during = send(producer, "killed", ["during"])
  await kafka.restart()
  await during
  await send(producer, "killed", ["after"])
  await producer.disconnect()

  expect(kafka.brokers).toBe(brokers)
  expect(kafka.pids).not.toEqual(pids)
  expect(await read(kafka, "killed", 3)).toEqual(["before", "during", "after"])
})

test("frozen, it answers nothing; thawed, it carries out what waited", async () => {
  await createTopic(kafka, "frozen", 1)
  const producer = await producerOf(kafka)
  await send(producer, "frozen", ["before"])
  kafka.freeze()
  let answered = false
  const waiting = send(producer, "frozen", ["during"]).finally(() => {
    answered = true
  })
  // Another broker stands for "long enough for an answer": one that is not frozen starts meanwhile.
  await using _other = await startKafka()
  expect(answered).toBe(false)
  kafka.thaw()
  await waiting
  await producer.disconnect()
  expect(await read(kafka, "frozen", 2)).toEqual(["before", "during"])
})

test("keeps its data where it is stopped, for a start at another port", async () => {
  await createTopic(kafka, "stopped", 1)
  const producer = await producerOf(kafka)
  await send(producer, "stopped", ["before"])
  await producer.disconnect()
  await kafka.stop()
  kafka = await startKafka({ dataDir, report })
  expect(await read(kafka, "stopped", 1)).toEqual(["before"])
})

test("three brokers take writes while one is down", async () => {
  await using three = await startKafka({ brokers: 3, report })
  expect(new Set(three.pids).size).toBe(3)
  await createTopic(three, "copied", 1)
  const producer = await producerOf(three)
  await send(producer, "copied", ["with three"])
  await three.kill(1)
  await send(producer, "copied", ["with two"])
  await three.restart(1)
  await send(producer, "copied", ["with three again"])
  await producer.disconnect()
  expect(await read(three, "copied", 3)).toEqual(["with three", "with two", "with three again"])
})
