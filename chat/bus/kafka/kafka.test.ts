import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { type Kafka, startKafka } from "@parley/engines/kafka.ts"
import { type LogFields, silentLogger } from "@parley/platform/log.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import {
  type Admin,
  Kafka as Client,
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  logLevel,
  type Message,
  Partitioners,
} from "kafkajs"
import { createLog } from "../../test/log-builder.ts"
import { refusal } from "../../test/world.ts"
import { busContract } from "../bus.contract.ts"
import type { Bus } from "../bus.ts"
import { listen, spoken } from "../test/stream.ts"
import { type KafkaBusOptions, openKafkaBus } from "./kafka.ts"

setDefaultTimeout(60_000)

const PARTITIONS = 4
let own: Kafka | undefined
let brokers: string[]
let admin: Admin
beforeAll(async () => {
  if (!process.env.KAFKA_BROKERS) own = await startKafka()
  brokers = (process.env.KAFKA_BROKERS ?? own!.brokers).split(",")
  admin = client().admin()
  await admin.connect()
})
afterAll(async () => {
  await admin.disconnect()
  await own?.stop()
})

const client = () => new Client({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 20 } })
const anyPrefix = () => `test-${crypto.randomUUID().slice(0, 8)}-`

busContract("on Kafka", async () => {
  const topicPrefix = anyPrefix()
  return {
    join: () => openKafkaBus({ brokers, partitions: 64, log: silentLogger, topicPrefix }),
    async [Symbol.asyncDispose]() {},
  }
})

const opened: Bus[] = []
afterEach(() => Promise.all(opened.splice(0).map((bus) => bus[Symbol.asyncDispose]())))
async function open(topicPrefix: string, given: Partial<KafkaBusOptions> = {}): Promise<Bus> {
  const options = { brokers, partitions: PARTITIONS, log: silentLogger, topicPrefix, ...given }
  const bus = await openKafkaBus(options)
  opened.push(bus)
  return bus
}
const hold = (bus: Bus, user: string) => bus.hold(partitionOf(user, bus.partitions))
const isReady = (bus: Bus) =>
  bus.ping().then(
    () => true,
    () => false,
  )

/** Puts into a topic what no node of ours would. */
async function forge(topic: string, messages: Message[], compression = CompressionTypes.None) {
  const producer = client().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (const message of messages) await producer.send({ topic, messages: [message], compression })
  await producer.disconnect()
}

const makeTopic = (
  topic: string,
  numPartitions: number,
  configEntries: { name: string; value: string }[] = [],
) => admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions, configEntries }] })

describe("the topics", () => {
  test("are made once by whoever comes first, and keep records for as long as they are worth something", async () => {
    const prefix = anyPrefix()
    const buses = await Promise.all([open(prefix), open(prefix), open(prefix)])
    await until(async () => (await Promise.all(buses.map(isReady))).every(Boolean), "three buses")
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: ["user-events", "user-signals"].map((topic) => ({
        type: ConfigResourceTypes.TOPIC,
        name: `${prefix}${topic}`,
      })),
    })
    const settings = resources.map(({ configEntries }) =>
      Object.fromEntries(
        configEntries.map(({ configName, configValue }) => [configName, configValue]),
      ),
    )
    for (const setting of settings) {
      expect(setting).toMatchObject({
        ...{ "cleanup.policy": "delete", "compression.type": "uncompressed" },
        "message.timestamp.type": "LogAppendTime",
      })
    }
    expect(settings.map((setting) => setting["retention.ms"])).toEqual(["3600000", "60000"])
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${prefix}user-events`] })
    expect(topics[0]?.partitions).toHaveLength(PARTITIONS)
  })

  test("with another number of partitions are refused with a sentence", async () => {
    const prefix = anyPrefix()
    await makeTopic(`${prefix}user-signals`, 3)
    expect(await refusal(open(prefix))).toMatchObject({
      name: "ConfigError",
      message: `KAFKA_PARTITIONS is 4 and the topic ${prefix}user-signals has 3: set KAFKA_PARTITIONS=3 on every node, or delete both topics while no node runs.`,
    })
  })

  test("that take no records of our size are refused with a sentence", async () => {
    const prefix = anyPrefix()
    await makeTopic(`${prefix}user-events`, PARTITIONS, [
      { name: "max.message.bytes", value: "65536" },
    ])
    expect(await refusal(open(prefix))).toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("set its max.message.bytes to 1000000 or more"),
    })
  })

  test("that get more partitions later make the node unready, and are told of", async () => {
    const prefix = anyPrefix()
    const errors: LogFields[] = []
    const log = { ...silentLogger, error: (_: string, fields = {}) => void errors.push(fields) }
    const bus = await open(prefix, { log })
    await until(() => isReady(bus), "the bus")
    await admin.createPartitions({
      topicPartitions: [{ topic: `${prefix}user-events`, count: PARTITIONS + 1 }],
    })
    await until(async () => !(await isReady(bus)), "the bus to notice")
    expect(await refusal(bus.ping())).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("set KAFKA_PARTITIONS=5"),
    })
    expect(errors).toHaveLength(1)
  })

  test("are made anew where somebody deletes them, and sessions are told to resume", async () => {
    const prefix = anyPrefix()
    const [from, to] = [await open(prefix), await open(prefix)]
    const gaps: number[] = []
    to.onGap((partition) => gaps.push(partition))
    const heard = listen(to, ["bob"]).get("bob")!
    await hold(to, "bob")
    await from.publish(spoken("before"), () => ["bob"])
    await until(() => heard.length > 0, "the first event")
    await admin.deleteTopics({ topics: [`${prefix}user-events`, `${prefix}user-signals`] })
    // What is published meanwhile waits.
    const during = from.publish(spoken("as many as before"), () => ["bob"])
    await until(() => gaps.length > 0, "the gap")
    expect(gaps).toEqual([partitionOf("bob", PARTITIONS)])
    await during
    await hold(to, "bob")
    await from.publish(spoken("after"), () => ["bob"])
    await until(() => heard.includes("after"), "the last event")
    await until(() => isReady(to), "the bus")
  })
})

describe("what is no record", () => {
  const bob = { users: ["bob"] }
  const poison: Omit<Message, "partition">[] = [
    { value: null },
    { value: "" },
    { value: '{"event":' },
    { value: Buffer.from([0xff, 0xfe, 0x00]) },
    { value: "null" },
    { value: "[]" },
    { value: JSON.stringify({ event: { kind: "typing" }, ...bob }) },
    { value: JSON.stringify({ event: { kind: "entry", entry: { kind: "poll" } }, ...bob }) },
    { value: JSON.stringify({ event: { kind: "entry", entry: null }, ...bob }) },
    { value: `{"event":"${"x".repeat(1_048_000)}"` },
    {
      key: "a key",
      value: "no JSON",
      headers: { from: ["one", "two"], more: Buffer.alloc(9_000) },
    },
  ]

  test("is counted, told of now and then, and does not keep up what follows", async () => {
    const prefix = anyPrefix()
    const warnings: LogFields[] = []
    const warn = (_: string, fields: LogFields = {}) => void warnings.push(fields)
    const [from, to] = [await open(prefix), await open(prefix, { log: { ...silentLogger, warn } })]
    const heard = listen(to, ["bob"]).get("bob")!
    await hold(to, "bob")
    const partition = partitionOf("bob", PARTITIONS)
    for (const topic of ["user-events", "user-signals"]) {
      await forge(
        `${prefix}${topic}`,
        poison.map((message) => ({ ...message, partition })),
      )
    }
    await from.publish(spoken("good"), () => ["bob"])
    await until(() => heard.includes("good"), "what follows")
    await until(() => to.stats().setAside === 2 * poison.length, "everything to be counted")
    expect(to.stats()).toMatchObject({ received: 1, gaps: 0 })
    const told = warnings.filter(({ reason }) => reason !== undefined)
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThan(poison.length)
    expect(told[0]).toMatchObject({
      topic: expect.stringContaining(prefix),
      partition,
      offset: "0",
    })
  })

  test("does not stop the node where even kafkajs cannot read it", async () => {
    const prefix = anyPrefix()
    // Made by hand, without our settings: Kafka keeps what it is sent as it is.
    for (const topic of ["user-events", "user-signals"])
      await makeTopic(`${prefix}${topic}`, PARTITIONS)
    const [from, to] = [await open(prefix), await open(prefix)]
    const heard = listen(to, ["bob"]).get("bob")!
    const gaps: number[] = []
    to.onGap((partition) => gaps.push(partition))
    await hold(to, "bob")
    await until(() => isReady(to), "the bus")
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => Bun.zstdCompressSync(buffer),
      async decompress() {
        throw new Error("zstd is not known here")
      },
    })
    const partition = partitionOf("bob", PARTITIONS)
    await forge(`${prefix}user-events`, [{ value: "unreadable", partition }], CompressionTypes.ZSTD)
    await until(() => gaps.length > 0, "the gap")
    await hold(to, "bob")
    await from.publish(spoken("good"), () => ["bob"])
    await until(() => heard.includes("good"), "what follows")
    expect(gaps).toEqual([partition])
  })
})

test("an event of the largest text for a group of the largest size arrives whole", async () => {
  const prefix = anyPrefix()
  const [from, to] = [await open(prefix), await open(prefix)]
  const members = Array.from({ length: 1_024 }, (_, i) => `member-${i}`.padEnd(64, "x"))
  const received: string[] = []
  to.onRecord(({ event, users }) => {
    expect(event).toEqual(large)
    received.push(...users)
  })
  for (let partition = 0; partition < PARTITIONS; partition++) await to.hold(partition)
  const large = {
    kind: "entry",
    entry: createLog("c").message("alice", "👩".repeat(8_000)),
  } as const
  await from.publish(large, () => members)
  await until(() => received.length >= members.length, "everybody's record")
  expect(received.sort()).toEqual(members.sort())
  // Many of them, too: more than fits into one request.
  received.length = 0
  await Promise.all(Array.from({ length: 20 }, () => from.publish(large, () => members)))
  await until(() => received.length >= 20 * members.length, "20 times everybody's record")
})

test("ten thousand new users add no topic, no partition and no rebalance", async () => {
  const prefix = anyPrefix()
  const [from, one, two] = [await open(prefix), await open(prefix), await open(prefix)]
  const counts = [one, two].map((bus) => {
    const users = new Set<string>()
    bus.onRecord((record) => {
      for (const user of record.users) users.add(user)
    })
    return users
  })
  for (const bus of [one, two]) for (let p = 0; p < PARTITIONS; p++) await bus.hold(p)
  await until(async () => (await isReady(one)) && (await isReady(two)), "both buses")
  const topics = () =>
    admin.listTopics().then((all) => all.filter((topic) => topic.startsWith(prefix)))
  const before = await topics()
  const joins = [one, two].map((bus) => bus.stats().joins)

  const users = Array.from({ length: 10_000 }, () => crypto.randomUUID())
  const greet = (user: string) => from.publish(spoken("welcome"), () => [user])
  for (let i = 0; i < users.length; i += 1_000)
    await Promise.all(users.slice(i, i + 1_000).map(greet))
  await until(() => counts.every((seen) => seen.size === users.length), "everybody's record")
  expect(await topics()).toEqual(before)
  expect(before).toHaveLength(2)
  expect([one, two].map((bus) => bus.stats().joins)).toEqual(joins)
})

test("a bus that closes sends what waits, and leaves its group", async () => {
  const prefix = anyPrefix()
  const [from, to] = [await open(prefix), await open(prefix)]
  const heard = listen(to, ["bob"]).get("bob")!
  await hold(to, "bob")
  const texts = Array.from({ length: 300 }, (_, i) => `${i}`)
  const sent = texts.map((text) => from.publish(spoken(text), () => ["bob"]))
  await from[Symbol.asyncDispose]()
  await Promise.all(sent)
  await until(() => heard.length === texts.length, "300 events")
  expect(await refusal(from.publish(spoken("late"), () => ["bob"])!)).toMatchObject({
    code: "UNAVAILABLE",
  })
  await to[Symbol.asyncDispose]()
  const { groups } = await admin.listGroups()
  const ours = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix))
  const described = await admin.describeGroups(ours)
  expect(described.groups.flatMap(({ members }) => members)).toEqual([])
})
