import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import type { Bus } from "../bus/bus.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import type { ChatContainer } from "../context.ts"
import type { Entry } from "../domain/entry.ts"
import type { Store } from "../store/store.ts"
import { createLog, type LogBuilder, messageId } from "../test/log-builder.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, type World } from "../test/world.ts"

const group = "group"
let world: World
let node: ChatContainer
let log: LogBuilder
/** What the node's reads of a log do instead of being answered. */
let reading: "answered" | "failing" | Promise<void> = "answered"
let reads = 0
/** What the node reads in an entry's place. */
let broken: (entry: Entry) => Entry | undefined = () => undefined
let held: string[] = []
/** Tells the hub that records of a partition may have been missed. */
let tellGap: (partition: number) => void

const watched = (bus: Bus): Bus => ({
  ...bus,
  hold(partition) {
    held.push(`+${partition}`)
    return bus.hold(partition)
  },
  release(partition) {
    held.push(`-${partition}`)
    bus.release(partition)
  },
  onGap(handler) {
    tellGap = handler
  },
})
/** How the node's readings of memberships are answered. */
let memberships: (store: Store, user: string) => ReturnType<Store["memberships"]>
const watchedStore = (store: Store): Store => ({
  ...store,
  memberships: (user) => memberships(store, user),
  async entries(...args) {
    reads += 1
    if (reading === "failing") throw unavailable("the disk is gone")
    if (reading !== "answered") await reading
    return (await store.entries(...args)).map((entry) => broken(entry) ?? entry)
  },
})

beforeEach(async () => {
  ;[reading, reads, held] = ["answered", 0, []]
  memberships = (store, user) => store.memberships(user)
  broken = () => undefined
  world = await createWorld(1, (store) => ({
    store: watchedStore(store),
    bus: watched(createInProcessExchange().join()),
  }))
  node = world.nodes[0]!
  log = createLog(group)
  await store(log.founded("alice", ["bob"]))
})
afterEach(() => world[Symbol.asyncDispose]())

/** Puts entries into the log as another node does: this one has yet to hear of them. */
async function store(...entries: Entry[]): Promise<Entry[]> {
  expect(await world.store.append(entries)).toBe(entries.length)
  return entries
}
const hear = (...entries: Entry[]) => {
  for (const entry of entries) node.hub.take({ kind: "entry", entry }, [])
}
async function open(user: string) {
  const subscription = openSubscription(node, user, undefined)
  await subscription.replayed
  return subscription
}
const seqs = (subscription: Awaited<ReturnType<typeof open>>) =>
  subscription.entries().map(({ seq }) => seq)
const messages = (n: number) => Array.from({ length: n }, () => log.message("alice"))

describe("a feed", () => {
  test("goes by the log's order, whatever the order in which it hears of entries", async () => {
    const bob = await open("bob")
    const [second, third, fourth] = await store(...messages(3))
    hear(fourth!, third!, fourth!, second!, second!)
    await until(() => bob.entries().length === 3, "three messages")
    expect(seqs(bob)).toEqual([2, 3, 4])
  })

  test("reads what it never heard of, in pages", async () => {
    const bob = await open("bob")
    const entries = await store(...messages(950))
    hear(entries.at(-1)!)
    await until(() => bob.entries().length === 950, "950 messages")
    expect(seqs(bob)).toEqual(entries.map(({ seq }) => seq))
  })

  test("keeps a bounded number of entries while it waits, and loses none", async () => {
    const bob = await open("bob")
    let letGo = () => {}
    reading = new Promise((resolve) => {
      letGo = resolve
    })
    const entries = await store(...messages(2_500))
    hear(...entries.slice(1))
    expect(bob.entries()).toEqual([])
    letGo()
    await until(() => bob.entries().length >= 2_500, "2,500 messages")
    expect(seqs(bob)).toEqual(entries.map(({ seq }) => seq))
  })

  test("tries again where the store fails, and goes on when it answers", async () => {
    const bob = await open("bob")
    reading = "failing"
    const [, third] = await store(...messages(2))
    hear(third!)
    await until(() => reads >= 2, "a second attempt")
    expect(bob.entries()).toEqual([])
    expect(bob.subscription.phase).toBe("live")
    reading = "answered"
    await until(() => bob.entries().length === 2, "both messages")
    expect(seqs(bob)).toEqual([2, 3])
  })

  test("is not kept waiting by an event that is not in the log", async () => {
    const bob = await open("bob")
    const ghost = { ...createLog(group).founded("mallory"), seq: 9 }
    hear(ghost)
    const [second] = await store(log.message("alice"))
    hear(second!)
    await until(() => bob.entries().length === 1, "the message")
    expect(seqs(bob)).toEqual([2])
    expect(reads).toBeGreaterThan(0)
    // Nor by one that comes before entries which the feed has yet to read.
    hear({ ...ghost, seq: 20 })
    const [third] = await store(log.message("alice"))
    hear(third!)
    await until(() => bob.entries().length === 2, "the next message")
    expect(seqs(bob)).toEqual([2, 3])
  })

  test("is of members only, and passes on receipts to those whom they concern", async () => {
    const [alice, bob, carol] = [await open("alice"), await open("bob"), await open("carol")]
    hear(...(await store(log.message("alice"))))
    const receipt = {
      kind: "receipt",
      conversation: group,
      user: "bob",
      delivered: 2,
      read: 2,
    } as const
    node.hub.take(receipt, ["bob", "alice", "carol", "nobody"])
    node.hub.take({ ...receipt, read: 1 }, ["bob"])
    node.hub.take({ ...receipt, conversation: "of others" }, ["bob"])
    const kinds = (subscription: typeof alice) => subscription.received.map(({ kind }) => kind)
    expect(kinds(alice)).toEqual(["ready", "entry", "receipt"])
    expect(kinds(bob)).toEqual(["ready", "entry", "receipt", "receipt"])
    expect(kinds(carol)).toEqual(["ready"])
  })

  test("ends with its last subscription", async () => {
    const subscriptions = [
      await open("alice"),
      await open("bob"),
      await open("bob"),
      await open("carol"),
    ]
    expect([node.hub.size, node.hub.feeds]).toEqual([4, 1])
    for (const subscription of subscriptions) subscription.stop()
    for (const subscription of subscriptions) subscription.stop()
    expect([node.hub.size, node.hub.feeds]).toEqual([0, 0])
  })

  test("ends too where it was busy when its last subscription went", async () => {
    const bob = await open("bob")
    let letGo = () => {}
    reading = new Promise((resolve) => {
      letGo = resolve
    })
    const [, third] = await store(...messages(2))
    hear(third!)
    bob.stop()
    expect(node.hub.size).toBe(0)
    letGo()
    await until(() => node.hub.feeds === 0, "the room to end")
    expect(bob.entries()).toEqual([])
  })
})

describe("a feed that cannot go on", () => {
  /** An entry of a kind that this node does not know, and that it takes for a change of members. */
  const strange = (seq: number): Entry =>
    ({ ...createLog(group).message("alice"), kind: "from the future", seq }) as unknown as Entry

  test("ends its subscriptions, which resume, and serves those who come after", async () => {
    const [alice, bob] = [await open("alice"), await open("bob")]
    const [message] = await store(...messages(1))
    expect(() => hear(strange(2))).not.toThrow()
    for (const { error } of [alice, bob]) expect(error).toMatchObject({ code: "UNAVAILABLE" })
    expect([node.hub.size, node.hub.feeds]).toEqual([0, 0])
    const back = openSubscription(node, "bob", new Map([[group, 1]]))
    await back.replayed
    hear(message!, ...(await store(...messages(1))))
    expect(seqs(back)).toEqual([2, 3])
  })

  test("does so where it meets the entry while it reads the log, too", async () => {
    const bob = await open("bob")
    const entries = await store(...messages(2))
    const { promise, resolve } = Promise.withResolvers<void>()
    reading = promise
    hear(entries[1]!)
    broken = ({ seq }) => (seq === 2 ? strange(2) : undefined)
    resolve()
    await until(() => bob.error !== undefined, "the end")
    expect(bob.error).toMatchObject({ code: "UNAVAILABLE" })
    await until(() => node.hub.feeds === 0, "the end of the feed")
  })
})

describe("an old joining that comes by while a subscription is being placed", () => {
  /** Opens Carol's subscription; the joining is heard before her memberships are found, and what follows it is read after. */
  async function placeBeside(joined: Entry, position: number) {
    const asked = Promise.withResolvers<void>()
    const found = Promise.withResolvers<void>()
    memberships = async (store, user) => {
      asked.resolve()
      await found.promise
      return store.memberships(user)
    }
    const subscription = openSubscription(node, "carol", new Map([[group, position]]))
    await asked.promise
    const read = Promise.withResolvers<void>()
    reading = read.promise
    hear(joined)
    found.resolve()
    return { subscription, read }
  }

  test("shows nothing of what came after to one who has left since", async () => {
    const joined = log.changed("alice", { joined: ["carol"] })
    const left = [...messages(5), log.changed("alice", { left: ["carol"] })]
    await store(joined, ...left, ...messages(5))
    const { seq: last } = left.at(-1)!
    const { subscription: carol, read } = await placeBeside(joined, last)
    await carol.replayed
    reading = "answered"
    read.resolve()
    const isShown = () => seqs(carol).some((seq) => seq > last)
    await until(() => node.hub.feeds === 0 || isShown(), "the room to end")
    expect(seqs(carol)).toEqual([])
  })

  test("brings in no one twice, and the leaving that follows it takes no one out", async () => {
    const joined = log.changed("alice", { joined: ["carol"] })
    const entries = await store(
      joined,
      ...messages(150),
      log.changed("alice", { left: ["carol"] }),
      // More than a feed reads of the log at once.
      ...messages(250),
      log.changed("alice", { joined: ["carol"] }),
      ...messages(10),
    )
    const { seq: last } = entries.at(-1)!
    const { subscription: carol, read } = await placeBeside(joined, last)
    await carol.replayed
    expect(carol.subscription.phase).toBe("live")
    reading = "answered"
    const before = reads
    read.resolve()
    // The first page is being read. Two more, or the feed has ended too soon.
    await until(() => reads >= before + 2 || node.hub.feeds === 0, "the log to be read")
    const [next] = await store(log.message("alice"))
    hear(next!)
    await until(() => seqs(carol).includes(next!.seq), "the next message")
    hear(...entries.filter(({ kind }) => kind === "members"))
    const [after] = await store(log.message("alice"))
    hear(after!)
    await until(() => seqs(carol).includes(after!.seq), "the message after it")
    expect(seqs(carol)).toEqual([next!.seq, after!.seq])
  })
})

describe("whoever is added", () => {
  test("enters at the entry that adds them, and leaves at the one that removes them", async () => {
    const carol = await open("carol")
    hear(
      ...(await store(
        log.message("alice", "before"),
        log.changed("alice", { joined: ["carol"] }),
        log.message("alice", "during"),
        log.changed("alice", { left: ["carol"] }),
        log.message("alice", "after"),
      )),
    )
    await until(() => node.hub.feeds === 0, "the room to end")
    expect(seqs(carol)).toEqual([3, 4, 5])
  })

  test("is told of what followed, though it came here before", async () => {
    const carol = await open("carol")
    const [joining, message] = await store(
      log.changed("alice", { joined: ["carol"] }),
      log.message("alice"),
    )
    hear(message!)
    hear(joining!)
    await until(() => carol.entries().length === 2, "both entries")
    expect(seqs(carol)).toEqual([2, 3])
  })

  test("is let in late, where another had opened the feed at a later entry", async () => {
    const carol = await open("carol")
    const [joining, message] = await store(
      log.changed("alice", { joined: ["carol"] }),
      log.message("alice"),
    )
    const bob = await open("bob")
    hear(message!, joining!, joining!)
    await until(() => carol.entries().length === 2, "both entries")
    hear(...(await store(log.message("alice"))))
    await until(() => bob.entries().length === 1, "the message")
    expect(seqs(carol)).toEqual([2, 3, 4])
    expect(seqs(bob)).toEqual([4])
  })

  test("and is placed while they are being let in, is told nothing twice", async () => {
    let letRegister = () => {}
    const mayRegister = new Promise<void>((resolve) => {
      letRegister = resolve
    })
    memberships = async (store, user) => {
      if (user === "carol") await mayRegister
      return store.memberships(user)
    }
    const carol = openSubscription(node, "carol", undefined)
    const [joining] = await store(log.changed("alice", { joined: ["carol"] }), log.message("alice"))
    await open("bob")
    let letGo = () => {}
    reading = new Promise((resolve) => {
      letGo = resolve
    })
    hear(joining!)
    letRegister()
    await carol.replayed
    letGo()
    hear(...(await store(log.message("alice"))))
    await until(() => carol.entries().length > 0, "the message")
    expect(seqs(carol)).toEqual([4])
  })

  test("and has left again before anyone heard of it, is told of both and no more", async () => {
    const carol = await open("carol")
    const [joining] = await store(
      log.changed("alice", { joined: ["carol"] }),
      log.message("alice"),
      log.changed("alice", { left: ["carol"] }),
      log.message("alice", "after"),
    )
    const bob = await open("bob")
    hear(joining!)
    await until(() => carol.entries().length === 3, "three entries")
    hear(joining!, ...(await store(log.message("alice", "long after"))))
    await until(() => bob.entries().length === 1, "the message")
    expect(seqs(carol)).toEqual([2, 3, 4])
  })

  test("and cannot be told what they missed, resumes from their position", async () => {
    const carol = await open("carol")
    const [joining] = await store(log.changed("alice", { joined: ["carol"] }), log.message("alice"))
    const bob = await open("bob")
    reading = "failing"
    hear(joining!)
    await until(() => carol.subscription.phase === "ended", "the end of the subscription")
    expect(carol.error).toMatchObject({ code: "UNAVAILABLE" })
    expect(node.hub.size).toBe(1)
    reading = "answered"
    hear(...(await store(log.message("alice"))))
    await until(() => bob.entries().length === 1, "the message")
  })

  test("is not brought in a second time by a copy that comes after they have left", async () => {
    const carol = await open("carol")
    const [joining, leaving] = await store(
      log.changed("alice", { joined: ["carol"] }),
      log.changed("alice", { left: ["carol"] }),
    )
    hear(joining!, leaving!)
    await until(() => node.hub.feeds === 0, "the room to end")
    hear(joining!)
    const again = await open("carol")
    hear(joining!)
    const [back] = await store(log.changed("alice", { joined: ["carol"] }))
    hear(back!)
    await until(() => again.entries().length === 1, "the return")
    expect(seqs(carol)).toEqual([2, 3, 4])
    expect(seqs(again)).toEqual([4])
  })

  test("is not brought in a second time by a feed that goes through what was before they left", async () => {
    const eve = await open("eve")
    const [brings] = await store(
      log.changed("alice", { joined: ["eve"] }),
      log.changed("alice", { joined: ["carol"] }),
      log.changed("alice", { left: ["carol"] }),
      log.changed("alice", { joined: ["carol"] }),
      log.message("alice"),
      log.changed("alice", { left: ["carol"] }),
    )
    const carol = await open("carol")
    // Eve's feed begins where she joined, which nobody here has heard of until now.
    hear(brings!)
    await until(() => eve.entries().length === 6, "all that Eve may see")
    expect(seqs(eve)).toEqual([2, 3, 4, 5, 6, 7])
    expect(seqs(carol)).toEqual([])
  })

  test("is brought in, though the feed's last subscription goes while the feed is busy", async () => {
    const [alice, carol] = [await open("alice"), await open("carol")]
    let letGo = () => {}
    reading = new Promise((resolve) => {
      letGo = resolve
    })
    const [, third, joining] = await store(
      log.message("bob"),
      log.message("bob"),
      log.changed("alice", { joined: ["carol"] }),
    )
    hear(third!, joining!)
    alice.stop()
    letGo()
    await until(() => carol.entries().length === 1, "the joining")
    expect(seqs(carol)).toEqual([4])
    hear(...(await store(log.message("alice"))))
    await until(() => carol.entries().length === 2, "the message")
  })
})

/** The next reading of memberships is answered when it is let go, with what it read before. */
function holdMemberships() {
  let letGo = () => {}
  const isHeld = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const inner = memberships
  memberships = async (store, user) => {
    memberships = inner
    const read = await store.memberships(user)
    await isHeld
    return read
  }
  return () => letGo()
}

describe("a subscription that is registering", () => {
  test("misses nothing that passed a feed which has ended since", async () => {
    const alice = await open("alice")
    const letGo = holdMemberships()
    const bob = openSubscription(node, "bob", undefined)
    await Promise.resolve()
    hear(...(await store(log.message("alice"))))
    expect(seqs(alice)).toEqual([2])
    alice.stop()
    expect(node.hub.feeds).toBe(0)
    letGo()
    await until(() => bob.entries().length === 1, "the message")
    expect(seqs(bob)).toEqual([2])
  })

  test("misses nothing that passed while there was no room", async () => {
    const letGo = holdMemberships()
    const bob = openSubscription(node, "bob", undefined)
    await Promise.resolve()
    hear(...(await store(log.message("alice"), log.message("alice"))))
    letGo()
    await until(() => bob.entries().length === 2, "both messages")
    expect(seqs(bob)).toEqual([2, 3])
  })

  test("stays in a conversation that its user came back to after its membership was read", async () => {
    await store(log.changed("alice", { left: ["bob"] }))
    const isRead = Promise.withResolvers<void>()
    const isFound = Promise.withResolvers<void>()
    memberships = async (store, user) => {
      const past = await store.memberships(user)
      isRead.resolve()
      await isFound.promise
      return past
    }
    const bob = openSubscription(node, "bob", new Map([[group, 2]]))
    await isRead.promise
    const joined = log.changed("alice", { joined: ["bob"] })
    hear(...(await store(joined)))
    isFound.resolve()
    await bob.replayed
    hear(...(await store(log.message("alice"))))
    await until(() => bob.entries().length === 2, "the message")
    expect(seqs(bob)).toEqual([3, 4])
    hear(...(await store(log.changed("alice", { left: ["bob"] }))), joined)
    hear(...(await store(log.message("alice"))))
    expect(seqs(bob)).toEqual([3, 4, 5])
  })

  test("has nothing twice of a conversation that it joins and leaves meanwhile", async () => {
    const positions = new Map([[group, 1]])
    await store(log.changed("alice", { left: ["bob"] }))
    let letGo = () => {}
    const isHeld = new Promise<void>((resolve) => {
      letGo = resolve
    })
    memberships = async (store, user) => {
      await isHeld
      return store.memberships(user)
    }
    const started = openSubscription(node, "bob", positions)
    hear(
      ...(await store(
        log.changed("alice", { joined: ["bob"] }),
        log.message("alice"),
        log.changed("alice", { left: ["bob"] }),
      )),
    )
    letGo()
    await started.replayed
    expect(seqs(started)).toEqual([3, 4, 5])
  })
})

test("a subscription becomes live in the very moment in which nothing is left to tell it", async () => {
  const entries = await store(...messages(50))
  memberships = async (_store, user) =>
    (await world.store.memberships(user)).map((membership) => ({ ...membership, head: 1 }))
  const bob = openSubscription(node, "bob", undefined, {
    onEvent({ kind }) {
      if (kind !== "ready") return
      // One entry now and then in the next turns, so that one comes in the gap, were there one.
      let turn = Promise.resolve()
      for (const [i, entry] of entries.entries()) {
        for (let gap = i % 9; gap > 0; gap--) turn = turn.then(() => {})
        turn = turn.then(() => hear(entry))
      }
    },
  })
  await until(() => bob.entries().length === 50, "50 messages")
  expect(seqs(bob)).toEqual(entries.map(({ seq }) => seq))
})

describe("the partitions of the bus", () => {
  test("are held while they have subscriptions, whoever of them comes and goes", async () => {
    const partition = partitionOf("bob", 64)
    const [one, two] = [await open("bob"), await open("bob")]
    one.stop()
    expect(held).not.toContain(`-${partition}`)
    const three = await open("bob")
    two.stop()
    three.stop()
    expect(held.filter((step) => step === `-${partition}`)).toHaveLength(1)
    expect(held.at(-1)).toBe(`-${partition}`)
  })

  test("that may have missed records have their subscriptions resume, and nobody else's", async () => {
    const partition = partitionOf("bob", 64)
    expect(partitionOf("alice", 64)).not.toBe(partition)
    const [alice, one, two] = [await open("alice"), await open("bob"), await open("bob")]
    const letGo = holdMemberships()
    const replaying = openSubscription(node, "bob", undefined)
    await store(log.message("alice", "missed by the bus"))
    tellGap(partition)
    letGo()
    await replaying.replayed
    for (const { error } of [one, two, replaying])
      expect(error).toMatchObject({ code: "UNAVAILABLE" })
    expect([alice.subscription.phase, node.hub.size]).toEqual(["live", 1])
    expect(held.at(-1)).toBe(`-${partition}`)

    const resumed = openSubscription(node, "bob", new Map([[group, 1]]))
    await resumed.replayed
    expect(seqs(resumed)).toEqual([2])
  })
})

test("a feed that is ahead of the store ends the registration, not the node", async () => {
  const bob = await open("bob")
  // Announced, and never stored: as after the store was put back to an earlier state.
  hear(log.message("alice", "a ghost", messageId()))
  expect(seqs(bob)).toEqual([2])
  const alice = await open("alice")
  expect(alice.error).toMatchObject({ code: "UNAVAILABLE" })
  expect(node.hub.size).toBe(1)
})
