import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { partitionOf } from "@parley/service/partition.ts"
import { until } from "@parley/service/test/until.ts"
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
    afterAll(async () => {
      for (const { bus } of nodes) await bus[Symbol.asyncDispose]()
      await place[Symbol.asyncDispose]()
    })

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

    test("brings an event, whole, to the nodes that hold the channels of its users", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      const receipt: BusEvent = {
        ...{ kind: "receipt", conversation: "c", user: "alice", delivered: 7, read: 3 },
      }
      const joined: BusEvent = { kind: "entry", entry: createLog("c").founded("alice", ["bob"]) }
      const spoken = event("👋 \u{2028} ﷽")
      for (const sent of [receipt, joined, spoken]) from.bus.publish(sent, () => ["bob"])
      await until(() => to.received.length === 3, "three records")
      expect(to.received).toEqual(
        [receipt, joined, spoken].map((event) => ({ event, users: ["bob"] })),
      )
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

    test("keeps the order of a partition", async () => {
      const [from, to] = [await join(), await join()]
      await to.bus.hold(channel(to, "bob"))
      const texts = Array.from({ length: 500 }, (_, i) => `${i}`)
      for (const text of texts) from.bus.publish(event(text), () => ["bob"])
      await until(() => to.received.length >= texts.length, "500 records")
      expect(to.texts()).toEqual(texts)
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

const textOf = (event: BusEvent) =>
  event.kind === "entry" && event.entry.kind === "message" ? event.entry.text : event.kind
