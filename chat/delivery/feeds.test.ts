import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import type { ChatContainer } from "../context.ts"
import type { Entry } from "../domain/entry.ts"
import {
  FEED_BYTES,
  FEED_EVENTS,
  FEED_WAIT_MS,
  FEEDS_PER_PASS,
  LANE_WAIT_MS,
  MEMBERSHIPS_PER_READ,
  PLACES_PER_PERSON,
  REPLAY_LINK_BYTES,
  REPLAY_STALL_MS,
} from "../limits.ts"
import type { MembershipView, Store } from "../store/store.ts"
import { createLog, type LogBuilder } from "../test/log-builder.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, type World } from "../test/world.ts"
import { createFeeds } from "./feeds.ts"

const group = "group"
let world: World
let node: ChatContainer
let log: LogBuilder
let reading: "answered" | "failing" | Promise<void>
let memberships: Store["memberships"] | undefined
/** Time that has passed beside the real one, in ms. */
let later = 0
const clock = spyOn(performance, "now")

beforeEach(async () => {
  reading = "answered"
  memberships = undefined
  later = 0
  clock.mockRestore()
  const now = performance.now.bind(performance)
  spyOn(performance, "now").mockImplementation(() => now() + later)
  world = await createWorld(1, (store) => ({
    store: {
      ...store,
      memberships: (...args) => (memberships ?? store.memberships)(...args),
      async entries(...args) {
        if (reading === "failing") throw unavailable("the disk is gone")
        if (reading !== "answered") await reading
        return store.entries(...args)
      },
    },
  }))
  node = world.nodes[0]!
  log = createLog(group)
  await world.store.append([log.founded("alice", ["bob"])])
})
afterEach(async () => {
  spyOn(performance, "now").mockRestore()
  await world[Symbol.asyncDispose]()
})

async function open(user: string, options: Parameters<typeof openSubscription>[3] = {}) {
  const subscription = openSubscription(node, user, undefined, options)
  await subscription.replayed
  return subscription
}
/** Does something while memberships are read in another way. */
async function withMemberships<T>(read: Store["memberships"], act: () => Promise<T>): Promise<T> {
  memberships = read
  const done = await act()
  memberships = undefined
  return done
}
/** Stores messages as another node does, and answers what tells this one of them. */
async function stored(count: number, text?: string): Promise<() => void> {
  const entries = Array.from({ length: count }, () => log.message("alice", text))
  expect(await world.store.append(entries)).toBe(count)
  return () => {
    for (const entry of entries) node.hub.take({ kind: "entry", entry }, [])
  }
}

describe("a feed whose log is being read", () => {
  test("keeps few bytes of what comes meanwhile, and loses none of it", async () => {
    const bob = await open("bob")
    const { promise, resolve } = Promise.withResolvers<void>()
    reading = promise
    const missed = await stored(1)
    const text = "x".repeat(8_000)
    const hear = await stored(Math.ceil((2 * FEED_BYTES) / 8_000), text)
    hear()
    missed()
    expect(node.hub.stats().queued.all).toBeLessThanOrEqual(FEED_BYTES / 8_000 + 1)
    resolve()
    const { head } = await node.services.store.state(group)
    await until(() => bob.entries().at(-1)?.seq === head, "the last message")
    expect(bob.entries().map(({ seq }) => seq)).toEqual(
      Array.from({ length: head - 1 }, (_, i) => i + 2),
    )
  })

  test("ends its subscriptions where the store has failed it for long", async () => {
    const bob = await open("bob")
    await stored(1)
    reading = "failing"
    const hear = await stored(1)
    hear()
    await new Promise(setImmediate)
    expect(bob.error).toBeUndefined()
    later += FEED_WAIT_MS + 1
    await until(() => bob.error !== undefined, "the end")
    expect(bob.error).toMatchObject({ code: "UNAVAILABLE" })
  })
})

describe("a feed that gives up", () => {
  /** Has the feed give up that Alice is in, once this node has heard what is given. */
  async function giveUp(alice: Awaited<ReturnType<typeof open>>, hear: () => void) {
    reading = "failing"
    hear()
    await new Promise(setImmediate)
    later += FEED_WAIT_MS + 1
    await until(() => alice.error !== undefined, "the end")
    reading = "answered"
  }

  test("ends the subscriptions of those whom it was about to let in, too", async () => {
    const [alice, carol] = [await open("alice"), await open("carol")]
    await stored(1)
    const hear = await stored(FEED_EVENTS)
    const joining = log.changed("alice", { joined: ["carol"] })
    await world.store.append([joining])
    await giveUp(alice, () => {
      hear()
      node.hub.take({ kind: "entry", entry: joining }, [])
    })
    expect(carol.error).toMatchObject({ code: "UNAVAILABLE" })
    expect(node.hub.size).toBe(0)
  })

  test("leaves what it knew to those who are being placed", async () => {
    const alice = await open("alice")
    const isRead = Promise.withResolvers<void>()
    const isFound = Promise.withResolvers<void>()
    const bob = await withMemberships(
      async (...args) => {
        const found = await world.store.memberships(...args)
        isRead.resolve()
        await isFound.promise
        return found
      },
      async () => {
        const opened = openSubscription(node, "bob", undefined)
        await isRead.promise
        return opened
      },
    )
    await stored(1)
    await giveUp(alice, await stored(1))
    isFound.resolve()
    await until(() => bob.entries().length === 2, "what was heard meanwhile")
    expect(bob.entries().map(({ seq }) => seq)).toEqual([2, 3])
  })

  test("ends all of its subscriptions, though one of them cannot be ended", async () => {
    const [alice, bob] = [await open("alice"), await open("bob")]
    const { end } = alice.subscription
    alice.subscription.end = (error) => {
      end(error)
      throw new Error("the link is broken")
    }
    const strange = { ...log.message("alice"), kind: "from the future" } as unknown as Entry
    expect(() => node.hub.take({ kind: "entry", entry: strange }, [])).not.toThrow()
    expect(bob.error).toMatchObject({ code: "UNAVAILABLE" })
    await until(() => node.hub.feeds === 0, "the end of the feed")
  })
})

test("a document whose event has been rendered for too long ends, whatever waits behind it", async () => {
  const slow = await open("bob", {
    compiled: {
      shareable: true,
      render: (event) => (event.kind === "entry" ? new Promise(() => {}) : JSON.stringify(event)),
    },
  })
  const first = await stored(1)
  first()
  later += LANE_WAIT_MS + 1
  const second = await stored(1)
  expect(slow.error).toBeUndefined()
  second()
  expect(slow.error).toMatchObject({ code: "UNAVAILABLE" })
})

test("a replay to a gateway that does not read ends", async () => {
  await stored(5)
  const subscription = openSubscription(node, "bob", new Map(), {
    waitingBytes: () => REPLAY_LINK_BYTES + 1,
  })
  await Bun.sleep(0)
  expect(subscription.error).toBeUndefined()
  later += REPLAY_STALL_MS + 1
  await subscription.replayed
  expect(subscription.error).toMatchObject({ code: "UNAVAILABLE" })
  expect(node.hub.size).toBe(0)
})

describe("a person in very many conversations", () => {
  const CONVERSATIONS = 50_000
  const views = Array.from({ length: CONVERSATIONS }, (_, i): MembershipView => {
    const place = {
      conversation: `c${`${i}`.padStart(6, "0")}`,
      user: "bob",
      role: "MEMBER" as const,
    }
    return {
      ...place,
      since: 1,
      joinedAt: 0,
      until: null,
      delivered: 1,
      read: 1,
      head: 1,
      headAt: 0,
    }
  })

  test("has so many places at a node, and is refused another subscription beyond them", async () => {
    memberships = async (_user, page) => {
      const from = page!.after === "" ? 0 : Number(page!.after.slice(1)) + 1
      return views.slice(from, from + page!.limit)
    }
    const subscriptions = []
    while (subscriptions.length < PLACES_PER_PERSON / CONVERSATIONS)
      subscriptions.push(await open("bob"))
    for (const { error } of subscriptions) expect(error).toBeUndefined()
    const refused = await open("bob")
    expect(refused.error).toMatchObject({
      ...{ code: "RATE_LIMITED", details: { retryAfterMs: expect.any(Number) } },
    })
    expect(node.hub.size).toBe(subscriptions.length)

    // They leave their conversations a few at a time, and leave nothing behind.
    for (const subscription of subscriptions) subscription.stop()
    expect(node.hub.feeds).toBeGreaterThanOrEqual(CONVERSATIONS - FEEDS_PER_PASS)
    await until(() => node.hub.feeds === 0, "the end of all feeds")
    expect((await open("bob")).error).toBeUndefined()
  }, 30_000)

  test("is counted for those that they have left, and may always have one subscription", async () => {
    const many = PLACES_PER_PERSON + MEMBERSHIPS_PER_READ
    memberships = async (_user, page) => {
      const from = page!.after === "" ? 0 : Number(page!.after.slice(1)) + 1
      const { length } = views.slice(0, Math.min(page!.limit, many - from))
      return Array.from({ length }, (_, i) => {
        return { ...views[0]!, conversation: `c${`${from + i}`.padStart(6, "0")}`, until: 1 }
      })
    }
    expect((await open("bob")).error).toBeUndefined()
    expect((await open("bob")).error).toMatchObject({ code: "RATE_LIMITED" })
    expect(node.hub.size).toBe(1)
  }, 30_000)
})

test("a feed whose log is being read keeps 1,000 of the events that come meanwhile, however short", async () => {
  const bob = await open("bob")
  const { promise, resolve } = Promise.withResolvers<void>()
  reading = promise
  const missed = await stored(1)
  const hear = await stored(1_500)
  hear()
  missed()
  expect(node.hub.stats().queued.all).toBeWithin(1_000, 1_002)
  resolve()
  await until(() => bob.entries().at(-1)?.seq === 1_502, "the last message")
})

test("what passes while subscriptions are placed is forgotten with the subscriptions that could have missed it", () => {
  const { store, subscriptionsOf } = { store: world.store, subscriptionsOf: () => new Set<never>() }
  const feeds = createFeeds({ ...node, store, subscriptionsOf, log: silentLogger } as never)
  const pass = (conversation: string) => {
    const entry = createLog(conversation).founded("alice")
    feeds.take({ kind: "entry", entry }, [])
  }
  pass("before all")
  expect(feeds.strays).toBe(0)
  let end = feeds.beginPlacing()
  // There is always one more subscription being placed when another one is done.
  for (let i = 0; i < 1_000; i++) {
    pass(`during ${i}`)
    pass("again and again")
    const next = feeds.beginPlacing()
    expect(feeds.strays).toBe(2)
    end()
    expect(feeds.strays).toBe(0)
    end = next
  }
  // One that began earlier may still need what passed when a later one is done.
  const early = feeds.beginPlacing()
  const late = feeds.beginPlacing()
  pass("late")
  end()
  late()
  expect(feeds.strays).toBe(1)
  early()
  expect(feeds.strays).toBe(0)
})
