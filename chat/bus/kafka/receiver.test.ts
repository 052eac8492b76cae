import { afterEach, expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import type { EachBatchPayload, Kafka } from "kafkajs"
import { refusal } from "../../test/world.ts"
import { createReceiver, type Receiver, type ReceiverOptions } from "./receiver.ts"
import type { Range } from "./topics.ts"

const TOPICS = ["events", "signals"]
const PARTITIONS = 4

/** Stands for kafkajs: does nothing of itself, and notes what it is told. */
class FakeConsumer {
  readonly events = { CRASH: "crash", GROUP_JOIN: "join" }
  readonly listeners = new Map<string, (event: unknown) => void>()
  /** What is consumed, and from where: `topic partition` → offset. */
  readonly positions = new Map<string, number>()
  readonly active = new Set<string>()
  eachBatch: (payload: EachBatchPayload) => Promise<void> = async () => {}
  isGone = false

  constructor(
    readonly groupId: string,
    private readonly joins: () => boolean,
  ) {}

  on(name: string, listener: (event: unknown) => void) {
    this.listeners.set(name, listener)
  }
  async connect() {}
  async subscribe() {}
  async disconnect() {
    this.isGone = true
  }
  async run({ eachBatch }: { eachBatch: FakeConsumer["eachBatch"] }) {
    this.eachBatch = eachBatch
    if (this.joins()) this.join()
  }
  /** As kafkajs does it: everything is active, at the newest, until the listener says something else. */
  join() {
    for (const topic of TOPICS) for (const p of range(PARTITIONS)) this.active.add(`${topic} ${p}`)
    this.positions.clear()
    const memberAssignment = Object.fromEntries(TOPICS.map((topic) => [topic, range(PARTITIONS)]))
    this.listeners.get("join")?.({ payload: { memberAssignment } })
  }
  crash(message: string) {
    this.listeners.get("crash")?.({ payload: { error: new Error(message) } })
  }
  seek({ topic, partition, offset }: { topic: string; partition: number; offset: string }) {
    this.positions.set(`${topic} ${partition}`, Number(offset))
  }
  pause(places: { topic: string; partitions: number[] }[]) {
    for (const place of placesOf(places)) this.active.delete(place)
  }
  resume(places: { topic: string; partitions: number[] }[]) {
    for (const place of placesOf(places)) this.active.add(place)
  }
  /** Brings records of a partition; an offset is one record. */
  bring(topic: string, partition: number, offsets: number[], isStale = false) {
    const messages = offsets.map((offset) => ({ offset: `${offset}` }))
    const [firstOffset, lastOffset] = [`${offsets[0]}`, `${offsets.at(-1)}`]
    const batch = {
      topic,
      partition,
      messages,
      firstOffset: () => firstOffset,
      lastOffset: () => lastOffset,
    }
    const payload = { batch, isStale: () => isStale, resolveOffset() {} }
    return this.eachBatch(payload as unknown as EachBatchPayload)
  }
}
const range = (length: number) => Array.from({ length }, (_, i) => i)
const placesOf = (places: { topic: string; partitions: number[] }[]) =>
  places.flatMap(({ topic, partitions }) => partitions.map((partition) => `${topic} ${partition}`))

let receiver: Receiver | undefined
afterEach(() => receiver?.close())

/** A receiver whose topics all have the same range. */
function start(given: Partial<ReceiverOptions> = {}) {
  const world = {
    consumers: [] as FakeConsumer[],
    low: 0,
    high: 10,
    isAway: false,
    /** Whether consumers join as soon as they run. */
    joins: true,
    received: [] as string[],
    gaps: [] as number[],
    get consumer() {
      return world.consumers.at(-1)!
    },
  }
  const newConsumer = ({ groupId }: { groupId: string }) => {
    world.consumers.push(new FakeConsumer(groupId, () => world.joins))
    return world.consumer
  }
  receiver = createReceiver({
    ...{ topics: TOPICS, partitions: PARTITIONS, group: "g", log: silentLogger },
    newClient: () => ({ consumer: newConsumer }) as unknown as Kafka,
    async readRanges() {
      const { low, high, isAway } = world
      if (isAway) throw new Error("no broker")
      const ranges: Range[] = range(PARTITIONS).map(() => ({ low, high }))
      return new Map(TOPICS.map((topic) => [topic, ranges]))
    },
    onMessage: ({ offset }, topic, partition) =>
      world.received.push(`${topic} ${partition} ${offset}`),
    onGap: (partition) => world.gaps.push(partition),
    ...given,
  })
  receiver.start()
  return { world, receiver }
}

test("consumes nothing but what is held, from the newest on", async () => {
  const { world, receiver } = start()
  await until(() => receiver.isJoined, "the group")
  expect(world.consumer.active.size).toBe(0)
  await receiver.hold(2)
  expect([...world.consumer.active]).toEqual(["events 2", "signals 2"])
  expect([...world.consumer.positions]).toEqual([
    ["events 2", 10],
    ["signals 2", 10],
  ])
  await world.consumer.bring("events", 2, [10, 11])
  receiver.release(2)
  expect(world.consumer.active.size).toBe(0)
  await world.consumer.bring("events", 2, [12])
  expect(world.received).toEqual(["events 2 10", "events 2 11"])
})

test("pauses and seeks anew whenever its consumer joins, each partition where it was", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  await until(() => receiver.isJoined, "the group")
  await world.consumer.bring("events", 1, [10, 11, 12])
  world.high = 20
  world.consumer.join()
  expect([...world.consumer.active]).toEqual(["events 1", "signals 1"])
  expect([...world.consumer.positions]).toEqual([
    ["events 1", 13],
    ["signals 1", 10],
  ])
  expect(receiver.joins).toBe(2)
})

test("replaces a consumer that crashes, by one in a new group that goes on where it was", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  await world.consumer.bring("signals", 1, [10])
  world.consumer.crash("the coordinator is gone")
  await until(() => world.consumers.length === 2 && receiver.isJoined, "the next consumer")
  expect([...world.consumer.positions]).toEqual([
    ["events 1", 10],
    ["signals 1", 11],
  ])
  expect(new Set(world.consumers.map(({ groupId }) => groupId)).size).toBe(2)
  const [old] = world.consumers
  expect(old?.isGone).toBe(true)
  await old?.bring("events", 1, [10])
  expect(world.received).toEqual(["signals 1 10"])
  expect(world.gaps).toEqual([])
})

test("gives up its place where one consumer after the other falls over it", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  for (const number of [1, 2]) {
    await until(() => world.consumers.length === number && receiver.isJoined, "a consumer")
    world.high = 15
    world.consumer.crash("cannot be decoded")
  }
  await until(() => world.gaps.length > 0, "the gap")
  await until(() => world.consumers.length === 3 && receiver.isJoined, "the third consumer")
  await receiver.hold(1)
  expect([...world.consumer.positions]).toEqual([
    ["events 1", 15],
    ["signals 1", 15],
  ])
  expect(world.gaps).toEqual([1])
})

test("does not take for new what was fetched before the partition was sought", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  await world.consumer.bring("events", 1, [10, 11], true)
  expect(world.received).toEqual([])
  await world.consumer.bring("events", 1, [10])
  expect([world.received, world.gaps]).toEqual([["events 1 10"], []])
})

test("tells of a gap where records do not follow one another, and delivers them", async () => {
  const { world, receiver } = start()
  for (const partition of [0, 1]) await receiver.hold(partition)
  await world.consumer.bring("events", 1, [10])
  world.high = 14
  await world.consumer.bring("events", 1, [13])
  expect(world.received).toEqual(["events 1 10", "events 1 13"])
  expect(world.gaps).toEqual([0, 1])
  await receiver.hold(1)
  expect(world.consumer.positions.get("events 1")).toBe(14)
})

for (const [what, low, high] of [
  ["retention has passed it", 11, 30],
  ["its topic was made anew", 0, 3],
] as const) {
  test(`begins anew from the newest, and says so, where ${what}`, async () => {
    const { world, receiver } = start()
    await receiver.hold(1)
    await receiver.check()
    expect(world.gaps).toEqual([])
    Object.assign(world, { low, high })
    await receiver.check()
    expect(world.gaps).toEqual([1])
    await receiver.hold(1)
    expect(world.consumer.positions.get("signals 1")).toBe(high)
    expect(world.consumer.active.has("signals 1")).toBe(true)
    await receiver.check()
    expect(world.gaps).toEqual([1])
  })
}

test("replaces a consumer that is behind and does not move", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  world.high = 12
  await receiver.check()
  expect(receiver.lag).toBe(4)
  await world.consumer.bring("events", 1, [10, 11])
  await world.consumer.bring("signals", 1, [10])
  await receiver.check()
  expect([receiver.lag, world.consumers.length]).toEqual([1, 1])
  // While the cluster is away nothing can move.
  world.isAway = true
  await receiver.check().catch(() => {})
  world.isAway = false
  await receiver.check()
  await new Promise(setImmediate)
  expect(world.consumer.isGone).toBe(false)
  await receiver.check()
  await until(() => world.consumers.length === 2 && receiver.isJoined, "the next consumer")
  expect(world.consumer.positions.get("signals 1")).toBe(11)
})

test("lets a consumer join its group in peace, and not for ever", async () => {
  const { world, receiver } = start()
  await receiver.hold(1)
  world.joins = false
  world.consumer.crash("the broker restarts")
  await until(() => world.consumers.length === 2, "the next consumer")
  world.high = 12
  for (let look = 0; look < 4; look++) await receiver.check()
  await new Promise(setImmediate)
  expect([world.consumer.isGone, world.consumers.length]).toEqual([false, 2])
  // What it was behind before it has joined says nothing of it.
  world.consumer.join()
  await receiver.check()
  await new Promise(setImmediate)
  expect(world.consumers).toHaveLength(2)

  world.consumer.crash("once more")
  await until(() => world.consumers.length === 3, "the third consumer")
  const isReplaced = async () => {
    await receiver.check()
    return world.consumers.length === 4
  }
  await until(isReplaced, "the fourth, in place of one that never joined")
})

test("has whoever holds wait while there is no cluster, but not for ever", async () => {
  const { world, receiver } = start({ holdWithin: 300 })
  world.isAway = true
  expect(await refusal(receiver.hold(1))).toMatchObject({ code: "UNAVAILABLE" })
  // It is wanted all the same.
  const again = receiver.hold(1)
  world.isAway = false
  await again
  await until(() => world.consumer.active.has("events 1"), "the partition")
  expect(receiver.held).toBe(1)
})

test("forgets a hold that is released before it is there", async () => {
  const { world, receiver } = start()
  world.isAway = true
  const waiting = refusal(receiver.hold(1))
  receiver.release(1)
  expect(await waiting).toMatchObject({ code: "UNAVAILABLE" })
  world.isAway = false
  await receiver.hold(2)
  expect([...world.consumer.active]).toEqual(["events 2", "signals 2"])
})
