import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { type Kafka, startKafka } from "@parley/engines/kafka.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import { refusal } from "../../test/world.ts"
import type { Bus } from "../bus.ts"
import { heardInOrder, listen, spoken, startStream } from "../test/stream.ts"
import { type KafkaBusOptions, openKafkaBus } from "./kafka.ts"

setDefaultTimeout(120_000)

const PARTITIONS = 8
const users = Array.from({ length: 12 }, (_, i) => `user-${i}`)
/** Longer than a request may take, so that somebody gives up; in ms. */
const FROZEN_FOR = 8_000
/** A node knows that it hears nothing; in ms. */
const NOTICED_WITHIN = 2_500
/** From the end of a fault on; in ms. */
const CAUGHT_UP_WITHIN = 10_000

let kafka: Kafka
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka.stop())

const opened: Bus[] = []
afterEach(() => Promise.all(opened.splice(0).map((bus) => bus[Symbol.asyncDispose]())))

async function open({ brokers }: { brokers: string }, given: Partial<KafkaBusOptions> = {}) {
  const options = {
    brokers: brokers.split(","),
    partitions: PARTITIONS,
    log: silentLogger,
    ...given,
  }
  const bus = await openKafkaBus(options)
  opened.push(bus)
  return bus
}
const isReady = (bus: Bus) =>
  bus.ping().then(
    () => true,
    () => false,
  )

/** Events flow from a node to another one, that holds everybody's channel, while something happens to the cluster. */
async function flowDuring(cluster: Kafka, fault: (to: Bus) => Promise<void>): Promise<void> {
  const [from, to] = [await open(cluster), await open(cluster)]
  const heard = listen(to, users)
  let gaps = 0
  to.onGap(() => {
    gaps += 1
  })
  for (const user of users) await to.hold(partitionOf(user, PARTITIONS))
  await until(async () => (await isReady(from)) && (await isReady(to)), "both nodes")
  const stream = startStream(from, users)
  await until(() => to.stats().received > 50, "the flow")
  await fault(to)
  const ended = performance.now()
  const received = to.stats().received
  await until(() => to.stats().received > received + 100, "the flow again", CAUGHT_UP_WITHIN)
  await heardInOrder(heard, await stream.stop(), CAUGHT_UP_WITHIN - (performance.now() - ended))
  await until(async () => (await isReady(from)) && (await isReady(to)), "both nodes")
  const works = (bus: Bus) => bus.state().hears && bus.state().speaks
  await until(() => works(from) && works(to), "both to say so")
  expect(gaps).toBe(0)
}

test("loses and reorders nothing when the broker is killed and comes back", () =>
  flowDuring(kafka, async (to) => {
    await kafka.kill()
    await until(() => !to.state().hears, "the node to hear nothing", NOTICED_WITHIN)
    await until(async () => !(await isReady(to)), "the node to notice")
    await kafka.restart()
  }))

test("loses and reorders nothing when the broker is frozen", () =>
  flowDuring(kafka, async (to) => {
    kafka.freeze()
    const begun = performance.now()
    await until(() => !to.state().hears, "the node to hear nothing", NOTICED_WITHIN)
    await Bun.sleep(FROZEN_FOR - (performance.now() - begun))
    kafka.thaw()
  }))

test("loses and reorders nothing when one of three brokers is killed", async () => {
  await using three = await startKafka({ brokers: 3 })
  await flowDuring(three, () => three.kill(0))
})

test("starts without a broker, says so, and goes on where there is one", async () => {
  const [port] = claimPorts(1)
  const brokers = `127.0.0.1:${port}`
  const begun = performance.now()
  const [from, to] = [await open({ brokers }), await open({ brokers })]
  expect(performance.now() - begun).toBeLessThan(5_000)
  for (const bus of [from, to]) {
    expect(await refusal(bus.ping())).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    })
  }
  const heard = listen(to, ["bob"]).get("bob")!
  const texts = ["one", "two", "three"]
  const sent = texts.map((text) => from.publish(spoken(text), () => ["bob"]))
  const held = to.hold(partitionOf("bob", PARTITIONS))
  await using _late = await startKafka({ port })
  await held
  await Promise.all(sent)
  await from.publish(spoken("four"), () => ["bob"])
  await until(() => heard.includes("four"), "the event")
  await until(async () => (await isReady(from)) && (await isReady(to)), "both nodes")
})

test("closes in time though the broker is frozen, and says so to whoever waits", async () => {
  const [from, to] = [
    await open(kafka),
    await open(kafka, { maxWaiting: { events: 2, bytes: 1e6 } }),
  ]
  await to.hold(0)
  await until(async () => (await isReady(from)) && (await isReady(to)), "both nodes")
  kafka.freeze()
  try {
    const waiting = [1, 2, 3].map((n) => refusal(to.publish(spoken(`${n}`), () => users)!))
    // One too many.
    expect(await waiting[2]).toMatchObject({ code: "UNAVAILABLE" })
    const held = refusal(from.hold(1))
    const begun = performance.now()
    await Promise.all([from[Symbol.asyncDispose](), to[Symbol.asyncDispose]()])
    expect(performance.now() - begun).toBeLessThan(8_000)
    for (const reason of await Promise.all([...waiting, held])) {
      expect(reason).toMatchObject({ code: "UNAVAILABLE" })
    }
  } finally {
    kafka.thaw()
  }
})
