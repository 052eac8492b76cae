import { expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import fc from "fast-check"
import { createInProcessExchange } from "../bus/in-process.ts"
import type { ChatContainer } from "../context.ts"
import type { Entry } from "../domain/entry.ts"
import { messageId } from "../test/log-builder.ts"
import { createShaker, shakeBus, shakeStore } from "../test/shaker.ts"
import { createSubscriber, plainCompiled, type Subscriber } from "../test/subscriber.ts"
import { createWorld, logOf, type World } from "../test/world.ts"

const NODES = 3
const users = ["alice", "bob", "carol", "dave"]
const node = fc.nat({ max: NODES - 1 })
const user = fc.constantFrom(...users)
const group = fc.nat({ max: 1 })

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), node, user, group }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("add" as const), node, user, group }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), node, user, group }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("read" as const), node, user, group }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("cut" as const), who: fc.nat({ max: 4 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("connect" as const), who: fc.nat({ max: 4 }), node }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), turns: fc.nat({ max: 12 }) }),
  },
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

/** The stretches of a log during which a user was a member, the leaving entry included. */
function spellsOf(user: string, log: Entry[]): { from: number; to: number; isOpen: boolean }[] {
  const spells: { from: number; to: number; isOpen: boolean }[] = []
  for (const entry of log) {
    if (entry.kind !== "members") continue
    if (entry.joined.includes(user)) spells.push({ from: entry.seq, to: log.length, isOpen: true })
    if (entry.left.includes(user)) Object.assign(spells.at(-1)!, { to: entry.seq, isOpen: false })
  }
  return spells
}

/**
 * What one device was told of one log: in order, each entry once, from stretches in which its user was a member only,
 * without a hole within a stretch, and to its end in the last one.
 * @returns what is wrong, or undefined.
 */
function faultOf(
  { user, told }: Subscriber,
  log: Entry[],
  conversation: string,
): string | undefined {
  const seqs = told.filter((entry) => entry.conversation === conversation).map(({ seq }) => seq)
  for (const [i, seq] of seqs.entries()) {
    if (i > 0 && seq <= seqs[i - 1]!) return `${seq} after ${seqs[i - 1]}`
    if (
      told.find((entry) => entry.conversation === conversation && entry.seq === seq)!.at !==
      log[seq - 1]!.at
    ) {
      return `${seq} is another entry`
    }
  }
  const spells = spellsOf(user, log)
  const seen = (seq: number) => spells.some(({ from, to }) => from <= seq && seq <= to)
  const strange = seqs.find((seq) => !seen(seq))
  if (strange !== undefined) return `${strange} is none of theirs`
  for (const [i, { from, to, isOpen }] of spells.entries()) {
    const within = seqs.filter((seq) => from <= seq && seq <= to)
    if (within.some((seq, i) => seq !== from + i)) return `a hole in ${within} (from ${from})`
    // Whoever left and came back while they were away is not told of the time before; whoever left while they were
    // away, and never knew of the conversation, has nothing to be told.
    const isOwed = i === spells.length - 1 && (isOpen || within.length > 0)
    if (isOwed && within.at(-1) !== to) return `nothing after ${within.at(-1)} (to ${to})`
  }
  return undefined
}

async function play(
  actions: readonly Action[],
  seed: number,
  withUnrulyBus: boolean,
): Promise<void> {
  const shaker = createShaker(seed)
  const exchange = createInProcessExchange()
  await using world: World = await createWorld(NODES, (store) => ({
    store: shakeStore(store, shaker),
    bus: withUnrulyBus ? shakeBus(exchange.join(), shaker) : exchange.join(),
  }))
  const services = world.nodes.map(({ services }) => services)
  const groups = [
    await services[0]!.groups.create("alice", "Friends", ["bob"]),
    await services[1]!.groups.create("alice", "Family", ["bob", "carol"]),
  ]
  const documents = [
    plainCompiled(),
    plainCompiled(true, () => shaker.pause()),
    plainCompiled(false, () => shaker.pause()),
    plainCompiled(false),
  ]
  // Everyone has a device, and Bob two; two of them have the same document.
  const devices = [...users, "bob"].map((user, i) => createSubscriber(user, documents[i % 4]!))
  const some = (node: number): ChatContainer => world.nodes[node]!

  const underWay: Promise<unknown>[] = []
  for (const action of actions) {
    if (action.kind === "connect") devices[action.who]!.connect(some(action.node))
    else if (action.kind === "cut") devices[action.who]!.disconnect()
    else if (action.kind === "wait")
      for (let i = 0; i < action.turns; i++) await new Promise(setImmediate)
    else {
      const { groups: change, messages, receipts } = services[action.node]!
      const conversation = groups[action.group]!
      const done =
        action.kind === "send"
          ? messages.send(action.user, { id: messageId(0), conversation, text: "hello" })
          : action.kind === "add"
            ? change.add("alice", conversation, [action.user])
            : action.kind === "read"
              ? receipts.mark(action.user, conversation, "read", 1)
              : change.remove("alice", conversation, action.user)
      underWay.push(done.catch((error) => expect(error.code).toBeOneOf(["NOT_FOUND", "FORBIDDEN"])))
    }
  }
  // Whoever is away comes back once more, while the last of it is still under way.
  for (const device of devices) {
    if (!device.isConnected) device.connect(shaker.pick(world.nodes))
  }
  await Promise.all(underWay)

  const logs = await Promise.all(groups.map((group) => logOf(world.store, group)))
  const faults = () =>
    devices.flatMap((device, i) =>
      groups.flatMap((group, g) => {
        const fault = faultOf(device, logs[g]!, group)
        return fault ? [`device ${i} (${device.user}), group ${g}: ${fault}`] : []
      }),
    )
  // Nothing more may be needed to bring everyone up to date: no later entry, no reconnection.
  const settled = () => devices.every(({ isLive }) => isLive) && faults().length === 0
  await until(settled, "everyone to be up to date", 3_000).catch(() => {})
  expect({ faults: faults(), live: devices.map(({ isLive }) => isLive) }).toEqual({
    faults: [],
    live: devices.map(() => true),
  })

  for (const device of devices) device.disconnect()
  for (const { hub } of world.nodes) {
    await until(() => hub.size === 0 && hub.feeds === 0, "empty hubs", 3_000)
  }
}

test.each([
  ["one that keeps the order", false],
  ["one that delays, doubles and reorders", true],
])(
  "any cut resumes with each entry once, in order, within each membership, over a bus: %s",
  async (_what, withUnrulyBus) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.integer(), (actions, seed) =>
        play(actions, seed, withUnrulyBus),
      ),
      { numRuns: 200, endOnFailure: true },
    )
  },
  120_000,
)
