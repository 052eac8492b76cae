import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import { createLog } from "../test/log-builder.ts"
import type { Bus, BusEvent, BusRecord } from "./bus.ts"

/** A bus of its own, to which nodes are joined. */
export interface BusPlace extends AsyncDisposable {
  join(): Promise<Bus>
}

/** What every engine behind the port `Bus` promises. */
export function busContract(name: string, prepare: () => Promise<BusPlace>): void {
  describe(`the bus ${name}`, () => {
    let place: BusPlace
    const nodes: Node[] = []

    interface Node {
      bus: Bus
      received: BusRecord[]
      /** The texts of the messages received, in order. */
      texts(): string[]
    }

    async function join(): Promise<Node> {
      const bus = await place.join()
      const received: BusRecord[] = []
      bus.onRecord((record) => received.push(record))
      const node = { bus, received, texts: () => received.map(({ event }) => textOf(event)) }
      nodes.push(node)
      return node
    }

    beforeAll(async () => {
      place = await prepare()
    })
    afterEach(() => Promise.all(nodes.splice(0).map(({ bus }) => bus[Symbol.asyncDispose]())))
    afterAll(() => place[Symbol.asyncDispose]())

    const event = (text: string): BusEvent => ({
      kind: "entry",
      entry: createLog("c").message("alice", text),
    })
    const channel = ({ bus }: Node, user: string) => partitionOf(user, bus.partitions)

    /** Resolves once everything that was published to a user's channel before has been received by the node. */
    async function caughtUp(from: Node, to: Node, user: string): Promise<void> {
      const mark = `mark ${crypto.randomUUID()}`
      from.bus.publish(event(mark), () => [user])
      await until(() => to.texts().includes(mark), "the mark")
    }

    const receipt = (read: number): BusEvent => ({
      ...{ kind: "receipt", conversation: "c", user: "alice", delivered: read, read },
    })
    const ofKind = ({ received }: Node, kind: BusEvent["kind"]) =>
      received.filter(({ event }) => event.kind === kind)

    test("says that it works, both ways, once it does", async () => {
      const { bus } = await join()
      await until(() => bus.state().hears && bus.state().speaks, "the bus to work")
      expect(bus.state()).toEqual({ hears: true, speaks: true })
    })

    test("brings an event, whole, to the nodes that hold the channels of its users", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      const joined: BusEvent = { kind: "entry", entry: createLog("c").founded("alice", ["bob"]) }
      const spoken = event("👋 \u{2028} ﷽")
      for (const sent of [receipt(7), joined, spoken]) from.bus.publish(sent, () => ["bob"])
      await until(() => to.received.length === 3, "three records")
      const recordOf = (event: BusEvent) => ({ event, users: ["bob"] })
      expect(ofKind(to, "entry")).toEqual([joined, spoken].map(recordOf))
      expect(ofKind(to, "receipt")).toEqual([receipt(7)].map(recordOf))
    })

    test("brings beside an event what brought it about", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      const cause = { requestId: "a1b2c3d4-7", traceparent }
      const sent: BusEvent[] = [event("asked for"), receipt(7)].map((of) => ({ ...of, cause }))
      for (const one of sent) from.bus.publish(one, () => ["bob"])
      await until(() => to.received.length === 2, "both records")
      const [first] = ofKind(to, "entry")
      expect(first!.event).toEqual(sent[0]!)
      expect(ofKind(to, "receipt")[0]!.event).toEqual(sent[1]!)
    })

    test("says when an event has been published", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      await from.bus.publish(event("published"), () => ["bob"])
      await from.bus.publish(event("to nobody"), () => [])
      await until(() => to.received.length > 0, "the record")
      expect(to.texts()).toEqual(["published"])
    })

    test("has one record per partition, with the users of that partition", async () => {
      const [from, to] = [await join(), await join()]
      const users = Array.from({ length: 400 }, (_, i) => `user-${i}`)
      const held = new Set(users.map((user) => channel(to, user)))
      for (const partition of held) await to.bus.hold(partition)
      from.bus.publish(event("to all"), () => users)
      await until(() => to.received.length >= held.size, "every partition's record")
      expect(to.received).toHaveLength(held.size)
      expect(to.received.flatMap(({ users }) => users).sort()).toEqual([...users].sort())
      for (const record of to.received) {
        expect(new Set(record.users.map((user) => channel(to, user))).size).toBe(1)
      }
    })

    test("keeps the order of a partition, in each kind of event", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      const numbers = Array.from({ length: 500 }, (_, i) => i)
      for (const number of numbers) {
        from.bus.publish(event(`${number}`), () => ["bob"])
        from.bus.publish(receipt(number), () => ["bob", "carol"])
        // Sometimes together, sometimes apart.
        if (number % 50 === 0) await new Promise(setImmediate)
      }
      await until(() => to.received.length >= 2 * numbers.length, "1,000 records")
      expect(ofKind(to, "entry").map(({ event }) => textOf(event))).toEqual(numbers.map(String))
      expect(ofKind(to, "receipt").map(({ event }) => event)).toEqual(numbers.map(receipt))
    })

    test("does not bring a node its own records", async () => {
      const [one, two] = [await join(), await join()]
      for (const { bus } of [one, two]) await bus.hold(channel(one, "bob"))
      one.bus.publish(event("of one"), () => ["bob"])
      two.bus.publish(event("of two"), () => ["bob"])
      await until(() => one.received.length > 0 && two.received.length > 0, "both records")
      expect([one.texts(), two.texts()]).toEqual([["of two"], ["of one"]])
    })

    test("brings only the partitions that are held, from when they are", async () => {
      const [from, to, witness] = [await join(), await join(), await join()]
      const [mine, others] = ["bob", "carol"]
      expect(channel(to, mine)).not.toBe(channel(to, others))
      for (const user of [mine, others]) await witness.bus.hold(channel(witness, user))
      from.bus.publish(event("before"), () => [mine])
      await caughtUp(from, witness, mine)

      await to.bus.hold(channel(to, mine))
      from.bus.publish(event("of others"), () => [others])
      from.bus.publish(event("held"), () => [mine, others])
      await until(() => to.received.length > 0, "the first record")
      expect(to.received).toEqual([{ event: expect.anything(), users: [mine] }])
      expect(to.texts()).toEqual(["held"])

      to.bus.release(channel(to, mine))
      from.bus.publish(event("released"), () => [mine])
      await caughtUp(from, witness, mine)
      await to.bus.hold(channel(to, mine))
      from.bus.publish(event("held again"), () => [mine])
      await until(() => to.texts().includes("held again"), "the last record")
      expect(to.texts()).toEqual(["held", "held again"])
    })

    test("holds a partition however often it was asked to, and releases it at once", async () => {
      const [from, to, witness] = [await join(), await join(), await join()]
      await witness.bus.hold(channel(witness, "bob"))
      const partition = channel(to, "bob")
      await Promise.all([to.bus.hold(partition), to.bus.hold(partition)])
      to.bus.release(partition)
      to.bus.release(partition)
      from.bus.publish(event("nobody holds this"), () => ["bob"])
      await caughtUp(from, witness, "bob")
      expect(to.received).toEqual([])
    })

    test("receives everything after a hold, however soon that follows a release", async () => {
      const [from, to] = [await join(), await join()]
      const partition = channel(to, "bob")
      const rounds = Array.from({ length: 20 }, (_, round) => `round ${round}`)
      for (const [number, text] of rounds.entries()) {
        const early = to.bus.hold(partition).catch(() => {})
        if (number % 2 === 0) await early
        to.bus.release(partition)
        await to.bus.hold(partition)
        await from.bus.publish(event(text), () => ["bob"])
        await until(() => to.texts().includes(text), text)
        to.bus.release(partition)
      }
      expect(to.texts()).toEqual(rounds)
    })

    test("counts what it holds and what it has received, and is ready", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      from.bus.publish(event("counted"), () => ["bob"])
      await until(() => to.received.length > 0, "the record")
      expect(to.bus.stats()).toMatchObject({ held: 1, received: 1, setAside: 0, gaps: 0 })
      to.bus.release(channel(to, "bob"))
      expect(to.bus.stats().held).toBe(0)
      await until(() => to.bus.ping().then(...readiness), "the bus to be ready")
    })

    test("is left in peace by a node that has gone, and goes on among the others", async () => {
      const [from, to, gone] = [await join(), await join(), await join()]
      for (const { bus } of [to, gone]) await bus.hold(channel(to, "bob"))
      await gone.bus[Symbol.asyncDispose]()
      from.bus.publish(event("after"), () => ["bob"])
      await until(() => to.received.length > 0, "the record")
      expect(gone.received).toEqual([])
    })
  })
}

const readiness = [() => true, () => false] as const
const textOf = (event: BusEvent) =>
  event.kind === "entry" && event.entry.kind === "message" ? event.entry.text : event.kind
