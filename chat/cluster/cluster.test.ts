import { afterEach, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { until } from "@parley/testing/until.ts"
import type { Bus } from "../bus/bus.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import type { ChatContainer } from "../context.ts"
import type { Store } from "../store/store.ts"
import { shareStore } from "../test/shared-store.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, send } from "../test/world.ts"
import type { Cluster } from "./cluster.ts"

/** What a node's bus does with what it is to publish. */
type Mood = "carries" | "refuses" | "swallows"

interface Member {
  node: ChatContainer
  cluster: Cluster
  mood: Mood
  /** What the node's writes do after they have been stored. */
  failsAfterWriting: boolean
}

const BEAT = 20
const world = await createWorld(0)
const store = shareStore(world.store)
const exchange = createInProcessExchange()
const clusters: Cluster[] = []
/** What waits for a bus that will never carry it: as when a real one is closed, it is refused in the end. */
const swallowed: ((error: Error) => void)[] = []
afterEach(async () => {
  for (const refuse of swallowed.splice(0)) refuse(unavailable("the bus is closed"))
  for (const cluster of clusters.splice(0)) await cluster.leave()
})

async function join(name: string): Promise<Member> {
  const member = { mood: "carries", failsAfterWriting: false } as Member
  const bus = exchange.join()
  const moody: Bus = {
    ...bus,
    publish(event, users) {
      if (member.mood === "refuses") return Promise.reject(unavailable("the bus is full"))
      if (member.mood === "swallows") return new Promise((_, refuse) => swallowed.push(refuse))
      return bus.publish(event, users)
    },
  }
  const flaky: Store = {
    ...store,
    async append(entries, position) {
      const stored = await store.append(entries, position)
      if (member.failsAfterWriting) throw unavailable("the answer was lost")
      return stored
    },
  }
  const overrides = {
    store: flaky,
    bus: moody,
    beatEvery: BEAT,
    lateWrites: { lookAfter: 40, giveUpAfter: 10_000 },
  }
  const [node] = (await createWorld(1, () => overrides)).nodes
  member.node = node!
  member.cluster = node!.join(`http://${name}`)!
  clusters.push(member.cluster)
  return member
}

/** Alice writes on one node, Bob listens on the other. */
async function talk() {
  const [here, there] = [await join("here"), await join("there")]
  const conversation = await here.node.services.groups.create("alice", "Friends", ["bob"])
  const bob = openSubscription(there.node, "bob", undefined)
  await until(() => bob.subscription.phase === "live", "Bob to be live")
  const heard = () =>
    bob.received.flatMap((event) =>
      event.kind === "entry" && event.entry.kind === "message" ? [event.entry.text] : [],
    )
  const urls = ({ cluster }: Member) => cluster.nodes().map(({ url }) => url)
  await until(() => urls(here).length === 2 && urls(there).length === 2, "both to know each other")
  return { here, there, conversation, bob, heard, urls }
}

test("what the bus would not take is announced once it takes something again", async () => {
  const { here, conversation, heard } = await talk()
  here.mood = "refuses"
  const texts = Array.from({ length: 300 }, (_, i) => `${i}`)
  for (const text of texts) await send(here.node, "alice", conversation, text)
  expect(heard()).toEqual([])
  here.mood = "carries"
  await until(() => heard().length === texts.length, "all of them")
  expect(heard()).toEqual(texts)
})

test("a node that dies before it has announced leaves that to another node", async () => {
  const { here, there, conversation, heard, urls } = await talk()
  here.mood = "swallows"
  await send(here.node, "alice", conversation, "my last words")
  await clusters.shift()!.leave()
  await until(() => heard().length === 1, "the heir to announce it")
  expect(heard()).toEqual(["my last words"])
  expect(urls(there)).toEqual(["http://there"])
})

test("a node that leaves with everything announced is forgotten at once, and has no heir", async () => {
  const { here, there, conversation, heard, urls } = await talk()
  await send(here.node, "alice", conversation, "good bye")
  await until(() => heard().length === 1, "the message")
  const before = store.records.size
  await clusters.shift()!.leave()
  expect(store.records.size).toBe(before - 1)
  await until(() => urls(there).length === 1, "it to be gone")
})

test("a write that failed and has arrived all the same is announced without being asked for again", async () => {
  const { here, conversation, heard } = await talk()
  here.failsAfterWriting = true
  await send(here.node, "alice", conversation, "did you get this?").catch(() => {})
  here.failsAfterWriting = false
  expect(heard()).toEqual([])
  await until(() => heard().length === 1, "the announcement")
  await send(here.node, "alice", conversation, "and this?")
  await until(() => heard().length === 2, "the next one")
  expect(heard()).toEqual(["did you get this?", "and this?"])
})

test("a node that was counted as dead goes on in a new life", async () => {
  const { here, there, conversation, heard, urls } = await talk()
  const frozen = here.cluster.nodes()[0]!
  const record = store.records.get(frozen.id)!
  const heir = there.cluster.nodes()[0]!.id
  expect(await store.nodes.inherit(record, heir)).toBe(true)
  await until(() => here.cluster.nodes()[0]!.id !== frozen.id, "the new life")
  await send(here.node, "alice", conversation, "still here")
  await until(() => heard().length === 1, "the message")
  await until(() => urls(there).length === 2, "both to know each other")
})

test("a long backlog does not keep a node from beating", async () => {
  const { here, there, conversation, urls } = await talk()
  here.mood = "refuses"
  await send(here.node, "alice", conversation, "first")
  here.mood = "swallows"
  const beats = () => store.records.get(here.cluster.nodes()[0]!.id)!.beat
  const before = beats()
  await until(() => beats() > before + 8, "eight more beats")
  expect(urls(there)).toHaveLength(2)
})

test("a node that was killed and started again is one node", async () => {
  const { there, urls } = await talk()
  const again = await join("here")
  await until(() => urls(there).includes("http://here"), "it to be known")
  expect(urls(there)).toEqual(["http://there", "http://here"])
  expect(urls(again).filter((url) => url === "http://here")).toHaveLength(1)
})

test("of two lives at one place the one that does not drain counts, in whatever order they are read", async () => {
  const { here, there } = await talk()
  const again = await join("here")
  const drained = async (one: Member, other: Member) => {
    await one.cluster.drain()
    const [self] = other.cluster.nodes()
    const beats = () => store.records.get(there.cluster.nodes()[0]!.id)!.beat
    const before = beats()
    await until(() => beats() >= before + 3, "the registry to have been read twice since")
    const known = there.cluster.nodes().filter(({ url }) => url === "http://here")
    expect(known).toEqual([{ ...self!, draining: false }])
  }
  await drained(again, here)
  await clusters.splice(2, 1)[0]!.leave()
  await drained(here, await join("here"))
})

test("a node that is about to stop says so to all", async () => {
  const { here, there } = await talk()
  await here.cluster.drain()
  const draining = () => there.cluster.nodes().map(({ draining }) => draining)
  await until(() => draining().includes(true), "the others to know")
  expect(draining()).toEqual([false, true])
})
