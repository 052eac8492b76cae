import { describe, expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import type { Kafka, ProducerBatch, RecordMetadata } from "kafkajs"
import { BUS_RECORD_OVERHEAD } from "../../limits.ts"
import { refusal } from "../../test/world.ts"
import { createSender, type SenderOptions } from "./sender.ts"

/** A cluster that answers each batch as it is told to, instead of Kafka. */
function startCluster(given: Partial<SenderOptions> = {}) {
  const cluster = {
    /** The records of each batch, as `partition:value`, with the producer that sent it. */
    batches: [] as { producer: number; records: string[] }[],
    producers: 0,
    /** What happens to the next batch: by default everything arrives. */
    answer: async (partitions: number[]): Promise<number[]> => partitions,
    connect: async () => {},
  }
  const newProducer = () => {
    cluster.producers += 1
    const producer = cluster.producers
    return {
      connect: () => cluster.connect(),
      disconnect: async () => {},
      async sendBatch({ topicMessages = [] }: ProducerBatch): Promise<Partial<RecordMetadata>[]> {
        const sent = topicMessages.flatMap(({ topic, messages }) =>
          messages.map(({ partition, value }) => ({ topic, partition: partition!, value })),
        )
        const records = sent.map(({ partition, value }) => `${partition}:${value}`)
        cluster.batches.push({ producer, records })
        const arrived = await cluster.answer([...new Set(sent.map(({ partition }) => partition))])
        return arrived.map((partition) => ({ topicName: "t", partition }))
      },
    }
  }
  const newClient = () => ({ producer: newProducer }) as unknown as Kafka
  const sender = createSender({ newClient, headers: { from: "me" }, log: silentLogger, ...given })
  const send = (value: string, ...partitions: number[]) =>
    sender.send(
      "t",
      partitions.map((partition) => ({ partition, value: Buffer.from(value), headers: {} })),
      { conversation: `of ${value}`, linger: 1 },
    )
  return { cluster, sender, send, records: () => cluster.batches.map(({ records }) => records) }
}

describe("the sender", () => {
  test("sends together what waits, one batch at a time, in order", async () => {
    const { cluster, send, records } = startCluster()
    const first = Promise.withResolvers<void>()
    cluster.answer = async (partitions) => {
      await first.promise
      return partitions
    }
    const sent = [send("a", 1), send("b", 2)]
    await until(() => cluster.batches.length === 1, "the first batch")
    sent.push(send("c", 2), send("d", 1, 2))
    first.resolve()
    await Promise.all(sent)
    expect(records()).toEqual([
      ["1:a", "2:b"],
      ["2:c", "1:d", "2:d"],
    ])
    expect(cluster.producers).toBe(1)
  })

  test("sends again what was not acknowledged, before anything later, though kafkajs said nothing", async () => {
    const { cluster, send, records } = startCluster()
    cluster.answer = async (partitions) => {
      cluster.answer = async (partitions) => partitions
      return partitions.filter((partition) => partition !== 2)
    }
    let isDone = false
    const both = send("a", 1, 2).then(() => {
      isDone = true
    })
    const other = send("b", 1)
    await until(() => cluster.batches.length === 1, "the first batch")
    const later = send("c", 2)
    await other
    expect(isDone).toBe(false)
    await Promise.all([both, later])
    expect(records()).toEqual([["1:a", "2:a", "1:b"], ["2:a"], ["2:c"]])
    expect(cluster.producers).toBe(1)
  })

  test("replaces a producer that fails, and sends the same batch again", async () => {
    const { cluster, sender, send, records } = startCluster()
    let failures = 2
    cluster.answer = async (partitions) => {
      if (failures-- > 0) throw new Error("no broker")
      return partitions
    }
    const sent = send("a", 1, 2)
    await until(() => sender.trouble !== undefined, "the first failure")
    expect(sender.trouble?.message).toBe("no broker")
    await sent
    expect(sender.trouble).toBeUndefined()
    expect(records()).toEqual([
      ["1:a", "2:a"],
      ["1:a", "2:a"],
      ["1:a", "2:a"],
    ])
    expect(cluster.batches.map(({ producer }) => producer)).toEqual([1, 2, 3])
  })

  test("waits for a cluster that cannot be reached", async () => {
    const { cluster, sender, send, records } = startCluster()
    cluster.connect = async () => {
      throw new Error("refused")
    }
    sender.warmUp()
    const sent = send("a", 1)
    await until(() => cluster.producers >= 3, "some attempts")
    cluster.connect = async () => {}
    await sent
    expect(records()).toEqual([["1:a"]])
  })

  test("lets only so much wait, and takes more when there is room again", async () => {
    const { cluster, sender, send } = startCluster({
      maxEvents: 3,
      maxBytes: 100 + 5 * BUS_RECORD_OVERHEAD,
    })
    const first = Promise.withResolvers<void>()
    cluster.answer = async (partitions) => {
      await first.promise
      return partitions
    }
    const sent = [send("a", 1), send("b".repeat(30), 1, 2, 3)]
    expect([sender.waiting, sender.waitingBytes]).toEqual([2, 91 + 4 * BUS_RECORD_OVERHEAD])
    expect(await refusal(send("c".repeat(10), 1))).toMatchObject({ code: "UNAVAILABLE" })
    sent.push(send("d", 1))
    expect(await refusal(send("e", 1))).toMatchObject({ code: "UNAVAILABLE" })
    first.resolve()
    await Promise.all(sent)
    expect([sender.waiting, sender.waitingBytes]).toEqual([0, 0])
    await send("c".repeat(10), 1)
  })

  /** A cluster that takes nothing until it is told to. */
  function stuck(given: Parameters<typeof startCluster>[0]) {
    const { cluster, sender } = startCluster(given)
    const first = Promise.withResolvers<void>()
    cluster.answer = async (partitions) => {
      await first.promise
      return partitions
    }
    const send = (conversation: string, share?: number, size = 1) =>
      sender.send("t", [{ partition: 1, value: Buffer.alloc(size), headers: {} }], {
        ...{ conversation, linger: 1, share },
      })
    return { send, sender, answer: first.resolve }
  }

  test("lets receipts fill a part of that, so that there is room for entries", async () => {
    const { send, answer } = stuck({ maxEvents: 4 })
    const sent = [send("a", 0.5), send("b", 0.5)]
    expect(await refusal(send("c", 0.5))).toMatchObject({ code: "UNAVAILABLE" })
    sent.push(send("c"), send("d"))
    expect(await refusal(send("e"))).toMatchObject({ code: "UNAVAILABLE" })
    answer()
    await Promise.all(sent)
  })

  test("lets one conversation fill a part of that, by number and by size, and others the rest", async () => {
    const maxBytes = 4 * (1_000 + BUS_RECORD_OVERHEAD)
    for (const [given, size] of [
      [{ maxEvents: 8 }, 1],
      [{ maxBytes: 2 * maxBytes }, 1_000],
    ] as const) {
      const { send, sender, answer } = stuck(given)
      const sent = [send("busy", 1, size), send("busy", 1, size)]
      expect(await refusal(send("busy", 1, size))).toMatchObject({ code: "UNAVAILABLE" })
      for (const other of ["a", "b", "c"]) sent.push(send(other, 1, size))
      answer()
      await Promise.all(sent)
      expect([sender.waiting, sender.waitingBytes]).toEqual([0, 0])
      await send("busy", 1, size)
    }
    // What is larger than its part goes where nothing of the same waits.
    const { send, answer } = stuck({ maxBytes })
    const large = send("large", 1, 3_000)
    expect(await refusal(send("large"))).toMatchObject({ code: "UNAVAILABLE" })
    answer()
    await large
  })

  test("says that it is stuck where something does not get through, and not that it is idle", async () => {
    const { cluster, sender, send } = startCluster()
    expect(sender.isStuck).toBe(false)
    const first = Promise.withResolvers<void>()
    cluster.answer = async (partitions) => {
      await first.promise
      return partitions
    }
    const frozen = send("a", 1)
    await until(() => sender.isStuck, "the frozen cluster to be noticed")
    first.resolve()
    await frozen
    await until(() => !sender.isStuck, "it to be over")
    cluster.connect = async () => {
      throw new Error("refused")
    }
    cluster.answer = async () => {
      throw new Error("gone")
    }
    const refused = send("b", 1)
    await until(() => sender.isStuck, "the lost cluster to be noticed")
    cluster.connect = async () => {}
    cluster.answer = async (partitions) => partitions
    await refused
    expect(sender.isStuck).toBe(false)
  })

  test("keeps a batch so small that Kafka takes it", async () => {
    const { send, records } = startCluster()
    const large = "x".repeat(200 * 1024)
    await Promise.all([
      ...[1, 1, 1, 2].map((partition) => send(large, partition)),
      ...Array.from({ length: 1_500 }, (_, i) => send(`${i}`, i % 64)),
    ])
    const ofOne = records().map((batch) => batch.filter((record) => record.startsWith("1:")))
    for (const batch of ofOne) expect(batch.join("").length).toBeLessThan(520 * 1024)
    expect(Math.max(...records().map((batch) => batch.length))).toBe(1_000)
    expect(records().flat()).toHaveLength(1_504)
  })

  test("lets 10,000 events wait, or 32 MiB, and sends 4 MiB of them at once", async () => {
    const { send, answer } = stuck({})
    const sent = Array.from({ length: 10_000 }, (_, i) => send(`${i}`))
    expect(await refusal(send("one more"))).toMatchObject({ code: "UNAVAILABLE" })
    answer()
    await Promise.all(sent)

    const long = stuck({})
    // Each brings 4 MiB, and what its record needs.
    const waiting = Array.from({ length: 7 }, (_, i) => long.send(`${i}`, 1, 4 * 1024 * 1024))
    expect(await refusal(long.send("one more", 1, 4 * 1024 * 1024))).toMatchObject({
      code: "UNAVAILABLE",
    })
    long.answer()
    await Promise.all(waiting)

    const cluster = startCluster()
    const large = "x".repeat(400 * 1024)
    await Promise.all(Array.from({ length: 20 }, (_, i) => cluster.send(`${i}${large}`, i)))
    const sizes = cluster.records().map((batch) => batch.join("").length)
    expect(Math.max(...sizes)).toBeWithin(3 * 1024 * 1024, 4 * 1024 * 1024)
  })

  test("sends what waits before it closes, and takes nothing more", async () => {
    const { sender, send, records } = startCluster()
    const sent = [send("a", 1), send("b", 1)]
    await sender.close()
    await Promise.all(sent)
    expect(records()).toEqual([["1:a", "1:b"]])
    expect(await refusal(send("c", 1))).toMatchObject({ code: "UNAVAILABLE" })
  })

  test("closes in time though nothing gets through, and says so to whoever waits", async () => {
    const { cluster, sender, send } = startCluster()
    cluster.answer = () => new Promise(() => {})
    const underWay = send("a", 1)
    await until(() => cluster.batches.length === 1, "the batch")
    const sent = [underWay, send("b", 1)].map(refusal)
    const begun = performance.now()
    await sender.close()
    expect(performance.now() - begun).toBeLessThan(5_000)
    for (const reason of await Promise.all(sent)) {
      expect(reason).toMatchObject({ code: "UNAVAILABLE" })
    }
  })
})
