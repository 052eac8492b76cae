import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { type Kafka, startKafka } from "@parley/engines/kafka.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { startProxy, type TcpProxy } from "@parley/testing/proxy.ts"
import { until } from "@parley/testing/until.ts"
import type { Bus } from "../bus/bus.ts"
import { openKafkaBus } from "../bus/kafka/kafka.ts"
import type { ChatContainer } from "../context.ts"
import { READ_OTHERS_EVERY } from "../limits.ts"
import { shareStore } from "../test/shared-store.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, send } from "../test/world.ts"
import type { Cluster } from "./cluster.ts"

setDefaultTimeout(120_000)

/** What is promised, in ms: entries of other nodes arrive so soon while the bus is away. */
const ARRIVES_WITHIN = 2_000
/** A subscription that is opened while the bus is away is live so soon; in ms. */
const LIVE_WITHIN = 2_000
/** From the end of a fault until the store is not read any more; in ms. */
const NORMAL_WITHIN = 15_000
const LASTS = 8_000
const SEND_EVERY = 40

let kafka: Kafka
let proxy: TcpProxy
let prefix = 0
beforeAll(async () => {
  const [port = 0, advertisedPort = 0] = claimPorts(2)
  proxy = await startProxy(port, advertisedPort)
  kafka = await startKafka({ port, advertisedPort })
})
afterAll(async () => {
  proxy.stop()
  await kafka.stop()
})

interface Member {
  node: ChatContainer
  bus: Bus
  cluster: Cluster
}

async function withTwoNodes(act: (here: Member, there: Member) => Promise<void>): Promise<void> {
  const world = await createWorld(0)
  const store = shareStore(world.store)
  prefix += 1
  const join = async (name: string): Promise<Member> => {
    const bus = await openKafkaBus({
      ...{ brokers: [`127.0.0.1:${proxy.port}`], partitions: 8, log: silentLogger },
      topicPrefix: `away-${prefix}-`,
    })
    const [node] = (await createWorld(1, () => ({ store, bus }))).nodes
    return { node: node!, bus, cluster: node!.join(`http://${name}`)! }
  }
  const [here, there] = [await join("here"), await join("there")]
  try {
    const works = ({ bus }: Member) => bus.state().hears && bus.state().speaks
    await until(() => works(here) && works(there), "both buses")
    await act(here, there)
  } finally {
    await Promise.all(
      [here, there].map(async ({ bus, cluster }) => {
        await bus[Symbol.asyncDispose]()
        await cluster.leave()
      }),
    )
    await world[Symbol.asyncDispose]()
  }
}

const quantile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

function open({ node }: Member, user: string) {
  const arrivals = new Map<string, number>()
  const texts: string[] = []
  const reader = openSubscription(node, user, new Map(), {
    onEvent(event) {
      if (event.kind !== "entry" || event.entry.kind !== "message") return
      texts.push(event.entry.text)
      arrivals.set(event.entry.text, performance.now())
    },
  })
  return { ...reader, arrivals, texts, live: () => reader.subscription.phase === "live" }
}

/** Alice goes on writing at one node while something happens to the bus; others listen, come and are added at the other. */
async function talkDuring(
  name: string,
  strike: () => void | Promise<void>,
  mend: () => void | Promise<void>,
): Promise<void> {
  await withTwoNodes(async (here, there) => {
    const group = await here.node.services.groups.create("alice", "Friends", ["bob", "carol"])
    const bob = open(there, "bob")
    const dora = open(there, "dora")
    await until(() => bob.live() && dora.live(), "Bob and Dora")
    const sent = new Map<string, number>()
    const say = async () => {
      const text = `${sent.size}`
      sent.set(text, performance.now())
      await send(here.node, "alice", group, text)
    }
    let talking = true
    const talk = (async () => {
      for (; talking; await Bun.sleep(SEND_EVERY)) await say()
    })()
    await until(() => bob.texts.length > 20, "the talk")

    await strike()
    const struck = performance.now()
    await Bun.sleep(300)
    const begun = performance.now()
    const carol = open(there, "carol")
    await until(() => carol.live(), "Carol", 10_000)
    const liveAfter = performance.now() - begun
    await here.node.services.groups.add("alice", group, ["dora"])
    const added = performance.now()
    await until(() => dora.texts.length > 0, "what Dora is to hear", 10_000)
    const heardAfter = performance.now() - added
    await Bun.sleep(Math.max(0, LASTS - (performance.now() - struck)))
    const ended = performance.now()
    await mend()
    const mended = performance.now()
    let found = -1
    await until(
      async () => {
        const before = found
        found = there.node.bus.stats().found
        await Bun.sleep(2 * READ_OTHERS_EVERY)
        return found === before && there.bus.state().hears
      },
      "all to be normal",
      NORMAL_WITHIN,
    )
    const normalAfter = performance.now() - mended - 2 * READ_OTHERS_EVERY
    talking = false
    await talk
    await until(() => bob.texts.length === sent.size, "the rest", 10_000)
    expect(bob.texts).toEqual([...sent.keys()])
    expect(carol.texts).toEqual([...sent.keys()])
    for (const { subscription } of [bob, carol, dora]) expect(subscription.phase).toBe("live")

    const late = [...sent]
      .filter(([, at]) => at > struck - 500 && at < ended)
      .map(([text, at]) => bob.arrivals.get(text)! - at)
      .sort((a, b) => a - b)
    const [p50, p99] = [quantile(late, 0.5), quantile(late, 0.99)]
    const round = Math.round
    process.stderr.write(
      `${name}: ${late.length} messages, p50 ${round(p50)} ms, p99 ${round(p99)} ms, worst ${round(late.at(-1)!)} ms; live after ${round(liveAfter)} ms; added: heard after ${round(heardAfter)} ms; normal after ${round(normalAfter)} ms\n`,
    )
    expect(late.length).toBeGreaterThan(100)
    expect(p99).toBeLessThan(ARRIVES_WITHIN)
    expect(liveAfter).toBeLessThan(LIVE_WITHIN)
    expect(heardAfter).toBeLessThan(ARRIVES_WITHIN)
  })
}

test("with the broker killed, people go on talking, come and are added", () =>
  talkDuring(
    "killed",
    () => kafka.kill(),
    () => kafka.restart(),
  ))

test("with the broker frozen, too", () =>
  talkDuring(
    "frozen",
    () => kafka.freeze(),
    () => kafka.thaw(),
  ))

test("and with a network that swallows everything", () =>
  talkDuring(
    "black hole",
    () => proxy.hang(),
    () => proxy.heal(),
  ))

test("and with one that refuses every connection", () =>
  talkDuring(
    "refused",
    () => proxy.drop(),
    () => proxy.heal(),
  ))
