import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Cluster, QUICK, startCluster } from "./cluster.ts"
import { startFreezer } from "./freezer.ts"
import { type Reader, startReader } from "./reader.ts"

setDefaultTimeout(30_000)

const CHAT = `{ conversation(id: "c1") { id } }`
const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }"
const message = () => ({ input: { id: Bun.randomUUIDv7(), conversation: "c1", text: "Hi" } })

const readers = (cluster: Cluster, users: readonly string[], doors = cluster.doors) =>
  Promise.all(
    users.map((user) =>
      startReader(doors, async () => (await cluster.bearer(user, user)).authorization),
    ),
  )

/** Says something again and again, until all is as it should be; then everyone must have heard all of it. */
async function heardByAll(cluster: Cluster, all: readonly Reader[], when: () => boolean) {
  await until(async () => {
    await cluster.say()
    return when()
  }, "what is to happen")
  for (let i = 0; i < 3; i++) await cluster.say()
  const { length } = cluster.store.history
  await until(() => all.every(({ seen }) => seen.length === length), "everyone to hear all")
  expect(all.flatMap(({ refused }) => refused)).toEqual([])
}

/** Whose subscriptions each node has, as the nodes themselves see it. */
const on = (node: Cluster["chats"][number]) =>
  [...node.subscriptions].map(({ args }) => args.contextValue.viewer?.user).toSorted()
const placed = (cluster: Cluster, users: readonly string[], nodes = cluster.chats) =>
  nodes.map((node) => users.filter((user) => cluster.placeOf(user, nodes) === node).toSorted())
const arePlaced = (cluster: Cluster, users: readonly string[], nodes = cluster.chats) =>
  JSON.stringify(nodes.map(on)) === JSON.stringify(placed(cluster, users, nodes))

describe("a user's subscriptions and requests", () => {
  test("go to one node, whichever gateway they come through", async () => {
    await using cluster = await startCluster({ chats: 3, gateways: 2 })
    const users = cluster.usersOf(2)
    const all = [
      ...(await readers(cluster, users, [cluster.doors[0]!])),
      ...(await readers(cluster, users, [cluster.doors[1]!])),
    ]
    await until(() => arePlaced(cluster, [...users, ...users]), "their places")
    for (const chat of cluster.chats) chat.knobs.calls = []
    for (const user of users) {
      for (const door of cluster.doors) await door.ask(CHAT, {}, await cluster.bearer(user))
    }
    const asking = (chat: Cluster["chats"][number]) =>
      chat.knobs.calls.map(({ viewer }) => viewer?.user).toSorted()
    expect(cluster.chats.map(asking)).toEqual(placed(cluster, [...users, ...users]))
    await heardByAll(cluster, all, () => true)
    for (const reader of all) reader.stop()
  })
})

test("a seed is where a gateway begins; it goes on with what the list says", async () => {
  await using cluster = await startCluster({ chats: 3 })
  // Such as the one name of all nodes: it is in no list.
  const alias = await startFreezer(cluster.chats[2]!.port)
  const door = await cluster.startDoor(["http://127.0.0.1:1", alias.url])
  // Until then seeds are all that there is to go by.
  await cluster.listRead()
  const users = cluster.usersOf(3)
  const all = await readers(cluster, users, [door])
  await heardByAll(cluster, all, () => arePlaced(cluster, users))
  // All of them are asked, and the seeds are not needed any more.
  alias.cut()
  await cluster.listRead()
  await heardByAll(cluster, all, () => arePlaced(cluster, users))
  const ready = await fetch(`${door.url}/readyz`)
  expect(await ready.json()).toEqual({ ready: true, reasons: {} })
  expect(all.flatMap(({ closed }) => closed)).toEqual([])
  for (const reader of all) reader.stop()
})

describe("when the list of nodes changes", () => {
  test("a node that comes gets what is its, little by little, and nothing is lost on the way", async () => {
    await using cluster = await startCluster({ chats: 2 })
    const third = await cluster.startNode()
    const users = cluster.usersOf(10)
    const all = await readers(cluster, users)
    await until(() => arePlaced(cluster, users, cluster.chats.slice(0, 2)), "their places")
    cluster.listed.set(third.url, { draining: false })
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    // The subscriptions have moved, the sockets have not; whose place did not change was left alone.
    expect(all.flatMap(({ closed }) => closed)).toEqual([])
    const moved = all.filter(({ ended }) => ended > 0).length
    expect(moved).toBe(placed(cluster, users)[2]!.length)
    for (const reader of all) reader.stop()
  })

  test("a node that drains is left at once, and its requests are answered", async () => {
    await using cluster = await startCluster({ chats: 3 })
    const [leaving, ...others] = cluster.chats as [Cluster["chats"][0], ...Cluster["chats"]]
    const users = cluster.usersOf(10)
    const all = await readers(cluster, users)
    const gate = Promise.withResolvers<void>()
    leaving.knobs.gate = gate.promise
    const mine = await cluster.bearer(users.find((user) => cluster.placeOf(user) === leaving)!)
    const sent = cluster.door.ask(SEND, message(), mine)
    await until(() => cluster.store.messages.length === 1, "the message")
    cluster.listed.set(leaving.url, { draining: true })
    const since = performance.now()
    await heardByAll(cluster, all, () => arePlaced(cluster, users, others))
    expect(performance.now() - since).toBeLessThan(3_000)
    expect(leaving.subscriptions.size).toBe(0)
    leaving.knobs.calls = []
    expect(await cluster.door.ask(CHAT, {}, mine)).toMatchObject({ data: { conversation: {} } })
    expect(leaving.knobs.calls).toEqual([])
    // It left the list, with something still under way.
    cluster.listed.delete(leaving.url)
    await cluster.listRead()
    expect(leaving.links()).toBe(2)
    gate.resolve()
    expect(await sent).toMatchObject({ data: { sendMessage: { seq: 1 } } })
    await until(() => leaving.links() === 0, "the end of its link")
    expect(all.flatMap(({ closed }) => closed)).toEqual([])
    for (const reader of all) reader.stop()
  })

  test("a node that is missing for a moment is not left", async () => {
    await using cluster = await startCluster({ chats: 2 })
    const [{ url }] = cluster.chats as [Cluster["chats"][0]]
    const users = cluster.usersOf(5)
    const all = await readers(cluster, users)
    await until(() => arePlaced(cluster, users), "their places")
    cluster.listed.delete(url)
    await cluster.listRead()
    cluster.listed.set(url, { draining: false })
    await cluster.listRead()
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    expect(all.flatMap(({ ended, closed }) => [ended, ...closed])).toEqual(users.map(() => 0))
    for (const reader of all) reader.stop()
  })

  test("a node that is in it no more is left, and one that comes back is used again", async () => {
    await using cluster = await startCluster({ chats: 2 })
    const [first, second] = cluster.chats as [Cluster["chats"][0], Cluster["chats"][0]]
    const users = cluster.usersOf(5)
    const all = await readers(cluster, users)
    cluster.listed.delete(first.url)
    await heardByAll(cluster, all, () => arePlaced(cluster, users, [second]))
    cluster.listed.set(first.url, { draining: false })
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    // The last one is not left, whatever it says: there is nowhere to go.
    for (const { url } of cluster.chats) cluster.listed.set(url, { draining: true })
    const moves = () => all.reduce((sum, { ended }) => sum + ended, 0)
    const before = moves()
    await cluster.listRead()
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    expect(moves()).toBe(before)
    for (const reader of all) reader.stop()
  })
})

describe("a node that is lost", () => {
  test("by a kill: whoever was there is elsewhere within moments, and its gateway stays ready", async () => {
    await using cluster = await startCluster({ chats: 3 })
    const [dead, ...others] = cluster.chats as [Cluster["chats"][0], ...Cluster["chats"]]
    const users = cluster.usersOf(5)
    const all = await readers(cluster, users)
    await until(() => arePlaced(cluster, users), "their places")
    const there = new Set(placed(cluster, users)[0])
    await dead.stop()
    dead.cut()
    // At once: what was not sent goes to another node.
    for (const user of there) {
      const bearer = await cluster.bearer(user)
      expect(await cluster.door.ask(CHAT, {}, bearer)).toMatchObject({ data: {} })
      const sent = await cluster.door.ask(SEND, message(), bearer)
      expect(sent).toMatchObject({ data: { sendMessage: {} } })
    }
    await heardByAll(cluster, all, () => arePlaced(cluster, users, others))
    all.forEach((reader, index) => {
      expect(reader.closed).toEqual(there.has(users[index]!) ? [1012] : [])
    })
    const ready = await fetch(`${cluster.door.url}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({
      ready: true,
      reasons: {},
      down: { [dead.url]: expect.any(String) },
    })
    for (const reader of all) reader.stop()
  })

  test("by a blip: nobody moves who was not there, and who was comes back to it", async () => {
    const times = { ...QUICK.times, grace: 10_000 }
    await using cluster = await startCluster({ chats: 2 }, { ...QUICK, times })
    const users = cluster.usersOf(5)
    const all = await readers(cluster, users)
    await until(() => arePlaced(cluster, users), "their places")
    const subscribed = cluster.chats[1]!.knobs.subscribed.length
    cluster.chats[0]!.cut()
    await until(() => on(cluster.chats[0]!).length === 0, "the cut")
    await cluster.chats[0]!.mend()
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    expect(cluster.chats[1]!.knobs.subscribed.length).toBe(subscribed)
    for (const reader of all) reader.stop()
  })

  test("by a hang: its subscriptions go on elsewhere, queries too; mutations are told; it is used again", async () => {
    await using cluster = await startCluster({ chats: 2 })
    const [frozen, other] = cluster.chats as [Cluster["chats"][0], Cluster["chats"][0]]
    const users = cluster.usersOf(5)
    const all = await readers(cluster, users)
    await until(() => arePlaced(cluster, users), "their places")
    const mine = await cluster.bearer(users.find((user) => cluster.placeOf(user) === frozen)!)
    // What no node has ever answered is not asked twice.
    expect(await cluster.door.ask(CHAT, {}, mine)).toMatchObject({ data: {} })
    frozen.freeze()
    const [asked, sent] = await Promise.all([
      cluster.door.ask(CHAT, {}, mine),
      cluster.door.ask(SEND, message(), mine),
    ])
    expect(asked).toMatchObject({ data: { conversation: { id: "c1" } } })
    // Whether it has been sent nobody knows: whoever sent it repeats it, by its id.
    expect(sent).toMatchObject({
      errors: [{ extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
    await heardByAll(cluster, all, () => on(other).length === users.length)
    expect(await cluster.door.ask(SEND, message(), mine)).toMatchObject({ data: {} })
    frozen.thaw()
    await heardByAll(cluster, all, () => arePlaced(cluster, users))
    for (const reader of all) reader.stop()
  })

  test("for all that is known: what may be asked twice is asked elsewhere before it is given up", async () => {
    const times = { ...QUICK.times, pong: 60_000 }
    await using cluster = await startCluster({ chats: 2 }, { ...QUICK, times, timeout: 60_000 })
    const [doubtful, other] = cluster.chats as [Cluster["chats"][0], Cluster["chats"][0]]
    const mine = cluster.usersOf(1)[0]!
    const [reader] = await readers(cluster, [mine])
    await until(() => on(doubtful).length === 1, "the subscription")
    const bearer = await cluster.bearer(mine)
    expect(await cluster.door.ask(CHAT, {}, bearer)).toMatchObject({ data: {} })
    doubtful.freeze()
    const asked = cluster.door.ask(CHAT, {}, bearer)
    expect(await asked).toMatchObject({ data: { conversation: { id: "c1" } } })
    // What comes now goes to the other one, what is there stays: it may be well, and only slow.
    const [late] = await readers(cluster, [mine])
    await until(() => on(other).length === 1, "the late one's subscription")
    expect(await cluster.door.ask(SEND, message(), bearer)).toMatchObject({ data: {} })
    expect(reader!.ended + reader!.closed.length).toBe(0)
    doubtful.thaw()
    await heardByAll(cluster, [reader!, late!], () => on(doubtful).length === 2)
    expect(reader!.ended + reader!.closed.length).toBe(0)
    for (const one of [reader!, late!]) one.stop()
  })

  test("with all others: requests are refused soon, and subscriptions wait for whoever comes first", async () => {
    await using cluster = await startCluster({ chats: 2 })
    const users = cluster.usersOf(2)
    for (const node of cluster.chats) node.cut()
    const bearer = await cluster.bearer(users[0]!)
    await until(async () => {
      const { errors } = await cluster.door.ask(CHAT, {}, bearer)
      return errors?.[0]?.extensions.code === "UNAVAILABLE"
    }, "a refusal")
    const since = performance.now()
    expect((await cluster.door.ask(CHAT, {}, bearer)).errors).toBeDefined()
    expect(performance.now() - since).toBeLessThan(900)
    const all = await readers(cluster, users)
    await cluster.chats[1]!.mend()
    await heardByAll(cluster, all, () => on(cluster.chats[1]!).length === users.length)
    // Subscriptions may be back before questions are.
    await until(async () => (await fetch(`${cluster.door.url}/readyz`)).ok, "readiness")
    for (const reader of all) reader.stop()
  })
})

test("a gateway that is stopped is left for another one", async () => {
  await using cluster = await startCluster({ chats: 2, gateways: 2 })
  const users = cluster.usersOf(5)
  const all = await readers(cluster, users)
  await cluster.stopGateway(0)
  await heardByAll(cluster, all, () => arePlaced(cluster, users))
  for (const reader of all) {
    expect(reader.closed).toContain(1012)
    reader.stop()
  }
})
