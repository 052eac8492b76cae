import { describe, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { until } from "@parley/testing/until.ts"
import {
  BUFFER_EVENTS,
  REPLAY_LINK_BYTES,
  REPLAY_PAGE_BYTES,
  REPLAYS_AT_ONCE,
  REPLAYS_PER_PERSON,
} from "../limits.ts"
import type { Store } from "../store/store.ts"
import { createLog } from "../test/log-builder.ts"
import { openSubscription, plainCompiled } from "../test/subscriber.ts"
import { createWorld, send, type World } from "../test/world.ts"
import type { Registered } from "./hub.ts"
import { plan } from "./replay.ts"
import { createReplaySemaphore } from "./replay-semaphore.ts"

/** A membership of Bob's, and the head of its log. */
function registered(
  conversation: string,
  head: number,
  window: { since?: number; until?: number | null } = {},
): Registered {
  const { since = 1, until = null } = window
  const member = { conversation, user: "bob", role: "MEMBER", joinedAt: 0, delivered: 0, read: 0 }
  const membership = { ...member, since, until, head, headAt: 0 } as Registered["membership"]
  return { membership, upTo: until ?? head }
}

describe("the plan of a replay", () => {
  test("is what lies between each position and the head", () => {
    const memberships = [registered("a", 10), registered("b", 7), registered("c", 3)]
    expect(
      plan(
        memberships,
        new Map([
          ["a", 4],
          ["b", 7],
        ]),
      ),
    ).toEqual({
      missed: [
        { conversation: "c", after: 0, upTo: 3 },
        { conversation: "a", after: 4, upTo: 10 },
      ],
      reload: [],
    })
  })

  test("begins where the membership begins and ends where it ends", () => {
    const memberships = [
      registered("joined", 10, { since: 6 }),
      registered("left", 10, { since: 3, until: 8 }),
      registered("unknown", 10, { since: 3, until: 8 }),
      registered("told", 10, { since: 3, until: 8 }),
    ]
    const positions = new Map([
      ["joined", 2],
      ["left", 5],
      ["told", 8],
    ])
    expect(plan(memberships, positions)).toEqual({
      missed: [
        { conversation: "left", after: 5, upTo: 8 },
        { conversation: "joined", after: 5, upTo: 10 },
      ],
      reload: [],
    })
  })

  test("takes 1,000 missed entries of a conversation, and names the one that has more", () => {
    const memberships = [registered("a", 1_001), registered("b", 1_000)]
    expect(plan(memberships, new Map())).toEqual({
      missed: [{ conversation: "b", after: 0, upTo: 1_000 }],
      reload: ["a"],
    })
    expect(plan(memberships, new Map([["a", 1]])).reload).toEqual([])
  })

  test("takes 5,000 missed entries in all, of as many conversations as fit", () => {
    const many = Array.from({ length: 6 }, (_, i) => registered(`large-${i}`, 1_000))
    const few = [registered("small", 1)]
    const { missed, reload } = plan([...many, ...few], new Map())
    expect(missed.map(({ conversation }) => conversation)).toEqual([
      ...["small", "large-0", "large-1", "large-2", "large-3"],
    ])
    expect(reload).toEqual(["large-4", "large-5"])
    expect(plan(many.slice(0, 5), new Map()).reload).toEqual([])
  })

  test("names a conversation whose log is shorter than the position", () => {
    const memberships = [registered("a", 10), registered("left", 10, { since: 3, until: 8 })]
    expect(
      plan(
        memberships,
        new Map([
          ["a", 11],
          ["left", 10],
        ]),
      ),
    ).toEqual({ missed: [], reload: ["a"] })
  })

  test("takes no notice of positions in conversations that are not the user's", () => {
    expect(
      plan(
        [],
        new Map([
          ["of others", 5],
          ["__proto__", 1],
        ]),
      ),
    ).toEqual({ missed: [], reload: [] })
  })
})

/** A group of Alice and Bob with some messages in it. */
async function groupWith(world: World, messages: number): Promise<string> {
  const conversation = `group-of-${messages}`
  const log = createLog(conversation)
  await world.store.append([log.founded("alice", ["bob"])])
  if (messages > 0) {
    await world.store.append(
      Array.from({ length: messages }, (_, i) => log.message("alice", `${i}`)),
    )
  }
  return conversation
}
const seqs = (subscription: ReturnType<typeof openSubscription>) =>
  subscription.entries().map(({ seq }) => seq)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

describe("a subscription", () => {
  test("is told what it missed, then that this is all, then what is new", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    const conversation = await groupWith(world, 450)
    const subscription = openSubscription(node!, "bob", new Map([[conversation, 20]]))
    await subscription.replayed
    await send(node!, "alice", conversation, "live")
    expect(seqs(subscription)).toEqual(upTo(452).slice(20))
    const ready = subscription.received.findIndex(({ kind }) => kind === "ready")
    expect(ready).toBe(431)
    expect(subscription.received[ready]).toEqual({ kind: "ready", recovered: true, reload: [] })
  })

  test("without positions is ready at once and told only what is new", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    const conversation = await groupWith(world, 10)
    const subscription = openSubscription(node!, "bob", undefined)
    await subscription.replayed
    await send(node!, "alice", conversation, "live")
    expect(subscription.received.map(({ kind }) => kind)).toEqual(["ready", "entry"])
    expect(seqs(subscription)).toEqual([12])
  })

  test("that missed too much is told to reload, and told what is new all the same", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    const large = await groupWith(world, 1_200)
    const small = await groupWith(world, 3)
    const subscription = openSubscription(node!, "bob", new Map())
    await subscription.replayed
    expect(subscription.readies()).toEqual([{ kind: "ready", recovered: false, reload: [large] }])
    expect(subscription.entries().map(({ conversation, seq }) => [conversation, seq])).toEqual(
      upTo(4).map((seq) => [small, seq]),
    )
    await send(node!, "alice", large, "live")
    expect(subscription.entries().at(-1)).toMatchObject({ conversation: large, seq: 1_202 })
  })

  test("that begins while messages are being written misses none and has none twice", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    const conversation = await groupWith(world, 300)
    const sent: Promise<unknown>[] = []
    const subscription = openSubscription(node!, "bob", new Map(), {
      // Each entry that is replayed makes Alice write another one.
      compiled: {
        shareable: true,
        async render(event) {
          if (event.kind === "entry" && event.entry.seq < 250 && event.entry.seq % 5 === 0) {
            sent.push(send(node!, "alice", conversation, "at the same time"))
            await new Promise(setImmediate)
          }
          return JSON.stringify(event)
        },
      },
    })
    await subscription.replayed
    await Promise.all(sent)
    await until(() => subscription.entries().length >= 301 + sent.length, "the last message")
    expect(sent.length).toBeGreaterThan(30)
    expect(seqs(subscription)).toEqual(upTo(301 + sent.length))
  })

  test("that ends in the middle of its replay is told nothing more, and leaves nothing behind", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    await groupWith(world, 900)
    const subscription = openSubscription(node!, "bob", new Map(), {
      onEvent: () => subscription.received.length === 250 && subscription.stop(),
    })
    await subscription.replayed
    expect(subscription.received).toHaveLength(250)
    expect(subscription.error).toBeUndefined()
    expect([node!.hub.size, node!.hub.feeds]).toEqual([0, 0])
  })

  test("that ends before it was registered leaves nothing behind", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    await groupWith(world, 3)
    const subscription = openSubscription(node!, "bob", new Map())
    subscription.stop()
    await subscription.replayed
    expect(subscription.received).toEqual([])
    expect([node!.hub.size, node!.hub.feeds]).toEqual([0, 0])
  })
})

describe("a replay", () => {
  test("stops while much waits on the link, and goes on when the gateway has read it", async () => {
    await using world = await createWorld()
    const [node] = world.nodes
    await groupWith(world, 300)
    let waiting = 0
    const subscription = openSubscription(node!, "bob", new Map(), {
      onEvent: () => {
        waiting += 50_000
      },
      waitingBytes: () => waiting,
    })
    await until(() => waiting > REPLAY_LINK_BYTES, "a full link")
    // As many looks at the link as it takes to see that nothing more comes.
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    expect(subscription.received.length).toBeLessThanOrEqual(REPLAY_LINK_BYTES / 50_000 + 1)
    const reading = setInterval(() => {
      waiting = 0
    }, 1)
    await subscription.replayed
    clearInterval(reading)
    expect(seqs(subscription)).toEqual(upTo(301))
  })

  test("reads few bytes of a log at once, however long its texts", async () => {
    const pages: number[] = []
    await using world = await createWorld(1, (store) => ({
      store: {
        ...store,
        async entries(...args) {
          const page = await store.entries(...args)
          pages.push(page.length)
          return page
        },
      },
    }))
    const [node] = world.nodes
    const conversation = await groupWith(world, 0)
    for (let i = 0; i < 100; i++) await send(node!, "alice", conversation, "x".repeat(8_000))
    pages.length = 0
    const subscription = openSubscription(node!, "bob", new Map())
    await subscription.replayed
    expect(seqs(subscription)).toEqual(upTo(101))
    expect(Math.max(...pages)).toBeLessThanOrEqual(REPLAY_PAGE_BYTES / 8_000 + 2)
  })
})

describe("the semaphore of replays", () => {
  test("lets few of a person in at once, and others past those that wait", async () => {
    const semaphore = createReplaySemaphore()
    const leave = await Promise.all(
      Array.from({ length: REPLAYS_PER_PERSON }, () => semaphore.enter("mallory")),
    )
    let entered = 0
    const waiting = Array.from({ length: 40 }, async () => {
      const leave = await semaphore.enter("mallory")
      entered += 1
      return leave
    })
    const alice = await semaphore.enter("alice")
    alice()
    expect(entered).toBe(0)
    for (const one of leave) one()
    expect((await Promise.all(waiting.slice(0, 2))).length).toBe(2)
    expect(entered).toBe(REPLAYS_PER_PERSON)
    for (const one of waiting) (await one)()
    expect(entered).toBe(40)
  })

  test("lets as many in at once as a node carries, and persons in turn", async () => {
    const semaphore = createReplaySemaphore()
    const running: (() => void)[] = []
    for (let i = 0; i < REPLAYS_AT_ONCE; i++) running.push(await semaphore.enter(`user ${i}`))
    const order: string[] = []
    const enter = async (person: string) => {
      const leave = await semaphore.enter(person)
      order.push(person)
      leave()
    }
    const waiting = ["mallory", "mallory", "mallory", "alice", "bob"].map(enter)
    running.pop()!()
    await Promise.all(waiting)
    expect(order).toEqual(["mallory", "alice", "bob", "mallory", "mallory"])
  })
})

describe("a store that fails during a replay", () => {
  const failing = (method: "entries" | "memberships", after: number) => {
    let calls = 0
    return (store: Store) => ({
      store: {
        ...store,
        [method](...args: never[]) {
          calls += 1
          if (calls > after) return Promise.reject(unavailable("the disk is gone"))
          return (store[method] as (...args: never[]) => unknown)(...args)
        },
      } as Store,
    })
  }

  test.each([
    ["memberships", 0, 0],
    ["entries", 0, 0],
    ["entries", 2, 400],
  ] as const)("ends the subscription with UNAVAILABLE: %s", async (method, after, told) => {
    await using world = await createWorld(1, failing(method, after))
    const [node] = world.nodes
    await groupWith(world, 900)
    const subscription = openSubscription(node!, "bob", new Map())
    await subscription.replayed
    expect(subscription.error).toMatchObject({ code: "UNAVAILABLE" })
    expect(seqs(subscription)).toEqual(upTo(told))
    expect(subscription.readies()).toEqual([])
    expect([node!.hub.size, node!.hub.feeds]).toEqual([0, 0])
  })

  test("ends it too where the log is shorter than its head says", async () => {
    await using world = await createWorld(1, (store) => ({
      store: {
        ...store,
        entries: async (...args) => (await store.entries(...args)).filter(({ seq }) => seq < 5),
      },
    }))
    const [node] = world.nodes
    await groupWith(world, 10)
    const subscription = openSubscription(node!, "bob", new Map())
    await subscription.replayed
    expect(subscription.error).toMatchObject({ code: "UNAVAILABLE" })
    expect(node!.hub.size).toBe(0)
  })
})

test(`more than ${BUFFER_EVENTS} events during a replay end it: the client resumes from where it is`, async () => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  await using world = await createWorld(1, (store) => ({
    store: {
      ...store,
      async entries(...args) {
        await held
        return store.entries(...args)
      },
    },
  }))
  const [node] = world.nodes
  const conversation = await groupWith(world, 10)
  const slow = openSubscription(node!, "bob", new Map())
  const live = openSubscription(node!, "alice", undefined, { compiled: plainCompiled(false) })
  await live.replayed
  // One sender has at most 1,000 waiting.
  for (let sent = 0; sent < BUFFER_EVENTS; sent += 500) {
    const some = Array.from({ length: 500 }, () => send(node!, "alice", conversation, "more"))
    await Promise.all(some)
  }
  await until(() => live.entries().length === BUFFER_EVENTS, "5,000 messages")
  expect(slow.subscription.phase).toBe("replaying")
  await send(node!, "alice", conversation, "one more")
  expect(slow.error).toMatchObject({ code: "UNAVAILABLE" })
  expect(slow.subscription.buffer).toEqual([])
  expect([node!.hub.size, node!.hub.feeds]).toEqual([1, 1])
  letGo()
  await slow.replayed
  expect(slow.received).toEqual([])
  expect(live.entries()).toHaveLength(BUFFER_EVENTS + 1)
}, 30_000)
