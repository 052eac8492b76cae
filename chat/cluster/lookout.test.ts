import { afterEach, beforeEach, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import type { Bus } from "../bus/bus.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import type { ChatContainer } from "../context.ts"
import { shareStore } from "../test/shared-store.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, send } from "../test/world.ts"
import type { Cluster } from "./cluster.ts"

const BEAT = 20
const TIMES = { patience: 30, lookEvery: 5, readEvery: 10 }

/** What one node's bus does. */
interface Weather {
  /** It holds no partition and brings nothing. */
  deaf: boolean
  /** What it is to publish waits. */
  mute: boolean
  /** It says that it works, though it does not. */
  lies: boolean
}

interface Member extends Weather {
  node: ChatContainer
  cluster: Cluster
  /** What waits goes out, and what is wanted is held, as when a broker is back. */
  mend(): Promise<void>
  /** Questions to the registry: one a round, beside those of the beats. */
  asked: number
  /** What its bus holds. */
  held: Set<number>
}

let world: Awaited<ReturnType<typeof createWorld>>
let store: ReturnType<typeof shareStore>
let exchange: ReturnType<typeof createInProcessExchange>
const members: Member[] = []
/** Whether the store answers what a node asks of the others' entries. */
let storeAnswers = true
beforeEach(async () => {
  world = await createWorld(0)
  store = shareStore(world.store)
  exchange = createInProcessExchange()
  storeAnswers = true
})
afterEach(async () => {
  storeAnswers = true
  for (const member of members) await member.mend()
  for (const { cluster } of members.splice(0)) await cluster.leave()
  await world[Symbol.asyncDispose]()
})

async function join(name: string, given: Partial<Weather> = {}): Promise<Member> {
  const member = {
    deaf: false,
    mute: false,
    lies: false,
    asked: 0,
    held: new Set(),
    ...given,
  } as Member
  const bus = exchange.join()
  const holding = new Map<number, () => void>()
  const brought: (() => void)[] = []
  const publishing: (() => void)[] = []
  const weathered: Bus = {
    ...bus,
    state: () => ({ hears: !member.deaf || member.lies, speaks: !member.mute }),
    publish(event, users) {
      if (!member.mute) return bus.publish(event, users)
      const wanted = [...users()]
      return new Promise((resolve) =>
        publishing.push(() => resolve(bus.publish(event, () => wanted))),
      )
    },
    hold(partition) {
      const hold = () => {
        member.held.add(partition)
        return bus.hold(partition)
      }
      if (!member.deaf || member.held.has(partition)) return hold()
      return new Promise((resolve) => holding.set(partition, () => resolve(hold())))
    },
    release(partition) {
      member.held.delete(partition)
      holding.delete(partition)
      bus.release(partition)
    },
    // What is in a partition that is held stays there until the node can have it.
    onRecord: (handler) =>
      bus.onRecord((record) => {
        if (member.deaf) brought.push(() => handler(record))
        else handler(record)
      }),
  }
  const asking = {
    ...store,
    nodes: {
      ...store.nodes,
      storedBy: async (...args: Parameters<typeof store.nodes.storedBy>) => {
        if (!storeAnswers) throw unavailable("the store is away")
        member.asked += 1
        return store.nodes.storedBy(...args)
      },
    },
  }
  const overrides = { store: asking, bus: weathered, beatEvery: BEAT, lookout: TIMES }
  const [node] = (await createWorld(1, () => overrides)).nodes
  member.node = node!
  member.cluster = node!.join(`http://${name}`)!
  members.push(member)
  member.mend = async () => {
    Object.assign(member, { deaf: false, mute: false })
    for (const resume of [...brought.splice(0), ...holding.values(), ...publishing.splice(0)])
      resume()
    holding.clear()
  }
  return member
}

async function two(there: Partial<Weather> = {}, here: Partial<Weather> = {}) {
  const [one, other] = [await join("here", here), await join("there", there)]
  const knows = ({ cluster }: Member) => cluster.nodes().length === 2
  await until(() => knows(one) && knows(other), "both to know each other")
  return { here: one, there: other }
}

function open(at: Member, user: string, after?: Map<string, number>) {
  const reader = openSubscription(at.node, user, after)
  return {
    ...reader,
    live: () => until(() => reader.subscription.phase === "live", `${user} to be live`),
    heard: () =>
      reader.received.flatMap((event) =>
        event.kind === "entry" && event.entry.kind === "message" ? [event.entry.text] : [],
      ),
    seqs: () => reader.received.flatMap((e) => (e.kind === "entry" ? [e.entry.seq] : [])),
  }
}

const groupOf = (at: Member, creator: string, ...others: string[]) =>
  at.node.services.groups.create(creator, "Friends", others)

test("subscriptions are opened and hear of other nodes while the bus is away", async () => {
  const { here, there } = await two({ deaf: true }, { mute: true })
  const group = await groupOf(here, "alice", "bob")
  const bob = open(there, "bob")
  await bob.live()
  await send(here.node, "alice", group, "one")
  await send(here.node, "alice", group, "two")
  await until(() => bob.heard().length === 2, "what Alice said")
  expect(bob.heard()).toEqual(["one", "two"])
})

test("subscriptions resume from their positions while the bus is away", async () => {
  const { here, there } = await two({ deaf: true }, { mute: true })
  const group = await groupOf(here, "alice", "bob")
  await send(here.node, "alice", group, "missed")
  const bob = open(there, "bob", new Map([[group, 1]]))
  await bob.live()
  await send(here.node, "alice", group, "live")
  await until(() => bob.heard().length === 2, "both")
  expect(bob.seqs()).toEqual([2, 3])
})

test("who is added meanwhile, by a node elsewhere, is told", async () => {
  const { here, there } = await two()
  const group = await groupOf(here, "alice", "bob")
  const carol = open(there, "carol")
  await carol.live()
  Object.assign(here, { mute: true })
  Object.assign(there, { deaf: true })
  await here.node.services.groups.add("alice", group, ["carol"])
  await send(here.node, "alice", group, "welcome")
  await until(() => carol.heard().length === 1, "the welcome")
  expect(carol.seqs()).toEqual([2, 3])
})

test("a bus that says that it works, and holds nothing, keeps no subscription waiting", async () => {
  const { here, there } = await two({ deaf: true, lies: true })
  const group = await groupOf(here, "alice", "bob")
  const begun = performance.now()
  const bob = open(there, "bob")
  await bob.live()
  expect(performance.now() - begun).toBeLessThan(1_000)
  await send(here.node, "alice", group, "hello")
  await until(() => bob.heard().length === 1, "what Alice said")
  // It is slow, and not away.
  expect(there.node.bus.stats()).toMatchObject({ absences: 0, found: expect.any(Number) })
  there.lies = false
  await until(() => there.node.bus.stats().absences === 1, "its absence to be noticed")
})

test("a node that hears reads what one that cannot publish has stored", async () => {
  const { here, there } = await two()
  const group = await groupOf(here, "alice", "bob")
  const bob = open(there, "bob")
  await bob.live()
  here.mute = true
  await send(here.node, "alice", group, "hello")
  await until(() => bob.heard().length === 1, "what Alice said")
})

test("when the bus is back, nothing is missing and nothing comes twice, and nothing is read any more", async () => {
  const { here, there } = await two({ deaf: true }, { mute: true })
  const group = await groupOf(here, "alice", "bob")
  const bob = open(there, "bob")
  await bob.live()
  const texts = Array.from({ length: 60 }, (_, i) => `${i}`)
  for (const [i, text] of texts.entries()) {
    if (i === 20) await there.mend()
    if (i === 40) await here.mend()
    await send(here.node, "alice", group, text)
  }
  await until(() => bob.heard().length === texts.length, "all of it")
  expect(bob.heard()).toEqual(texts)
  let before = -1
  await until(async () => {
    const same = there.asked === before
    before = there.asked
    await Bun.sleep(4 * TIMES.readEvery)
    return same
  }, "the reading to end")
  await send(here.node, "alice", group, "over the bus")
  await until(() => bob.heard().at(-1) === "over the bus", "the last message")
  expect(there.asked).toBe(before)
})

test("what was stored between the last reading and the holding is found", async () => {
  const { here, there } = await two({ deaf: true, lies: true })
  const group = await groupOf(here, "alice", "bob")
  const bob = open(there, "bob")
  await bob.live()
  // Published to a bus that does not hold Bob's partition yet: no node gets it.
  storeAnswers = false
  await send(here.node, "alice", group, "in between")
  await there.mend()
  storeAnswers = true
  await until(() => bob.heard().length === 1, "what came in between")
})

test("a partition that is released meanwhile is not held later", async () => {
  const { there } = await two({ deaf: true })
  const bob = open(there, "bob")
  await bob.live()
  bob.subscription.end()
  await there.mend()
  const carol = open(there, "carol")
  await carol.live()
  await until(() => there.held.size === 1, "the partition of Carol, and no other")
  expect([...there.held]).toEqual([partitionOf("carol", there.node.partitions)])
})

test("where the store does not answer, either, subscriptions end, and can come back once it does", async () => {
  const { here, there } = await two({ deaf: true }, { mute: true })
  const group = await groupOf(here, "alice", "bob")
  await open(there, "bob").live()
  storeAnswers = false
  await send(here.node, "alice", group, "waits for the store")
  const later = open(there, "bob", new Map([[group, 1]]))
  storeAnswers = true
  await until(() => later.heard().length === 1, "what waited")
})

test("a bus that flaps loses nothing", async () => {
  const { here, there } = await two()
  const group = await groupOf(here, "alice", "bob")
  const bob = open(there, "bob")
  await bob.live()
  const texts: string[] = []
  for (let i = 0; i < 100; i++) {
    const at = [here, there][i % 2]!
    if (i % 5 === 0) Object.assign(at, i % 2 === 0 ? { mute: true } : { deaf: true })
    if (i % 7 === 0) await at.mend()
    texts.push(`${i}`)
    await send(here.node, "alice", group, `${i}`)
    if (i % 10 === 0) await Bun.sleep(i % 3 === 0 ? 1 : 2 * TIMES.readEvery)
  }
  await Promise.all([here.mend(), there.mend()])
  await until(() => bob.heard().length === texts.length, "all of it")
  expect(bob.heard()).toEqual(texts)
})
