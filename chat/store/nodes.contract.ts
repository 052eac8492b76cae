import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createLog } from "../test/log-builder.ts"
import type { Nodes } from "./nodes.ts"
import type { Store } from "./store.ts"

/** A store that nodes share, in an empty place of its own. */
export type SharedStore = Store & { nodes: Nodes }

/** What every engine that nodes share promises of its registry and of its positions. */
export function nodesContract(name: string, open: () => Promise<SharedStore>): void {
  describe(`the registry of nodes on ${name}`, () => {
    let store: SharedStore
    let nodes: Nodes
    beforeAll(async () => {
      store = await open()
      nodes = store.nodes
    })
    afterAll(() => store[Symbol.asyncDispose]())

    const record = (id: string, beat = 1) => ({
      ...{ id, url: `http://${id}`, beat, draining: false, announced: 0 },
    })
    const find = async (id: string) => (await nodes.all()).find((one) => one.id === id)

    test("keeps what a node says of itself, the newest of it", async () => {
      expect(await nodes.put(record("a"))).toBe(true)
      const newer = { ...record("a", 2), draining: true, announced: 7, url: "http://elsewhere" }
      expect(await nodes.put(newer)).toBe(true)
      expect(await find("a")).toMatchObject({ ...newer, heir: null })
    })

    test("lets one inherit, and only from the node that was seen", async () => {
      await nodes.put(record("b", 5))
      const seen = (await find("b"))!
      expect(await nodes.inherit({ ...seen, beat: 4 }, "late")).toBe(false)
      const heirs = ["one", "two", "three", "four"]
      const won = await Promise.all(heirs.map((heir) => nodes.inherit(seen, heir)))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect((await find("b"))!.heir).toBe(heirs[won.indexOf(true)]!)
    })

    test("tells a node that has an heir that its life is over, and changes nothing then", async () => {
      await nodes.put(record("c", 5))
      const seen = (await find("c"))!
      await nodes.inherit(seen, "heir")
      expect(await nodes.put(record("c", 6))).toBe(false)
      expect(await find("c")).toEqual({ ...seen, heir: "heir" })
      // An heir that has died, too, is inherited from in its turn.
      expect(await nodes.inherit(seen, "other")).toBe(false)
      expect(await nodes.inherit({ ...seen, heir: "heir" }, "other")).toBe(true)
    })

    test("notes how far a dead node's entries have been announced, and never goes back", async () => {
      await nodes.put(record("d"))
      await nodes.announce("d", 9)
      await nodes.announce("d", 4)
      expect((await find("d"))!.announced).toBe(9)
    })

    test("forgets", async () => {
      await nodes.put(record("e"))
      await nodes.forget("e")
      await nodes.forget("e")
      expect(await find("e")).toBeUndefined()
      await nodes.announce("e", 4)
      expect(await find("e")).toBeUndefined()
    })

    test("gives back what a node stored, by its numbers, as it was", async () => {
      const log = createLog(crypto.randomUUID())
      const others = createLog(crypto.randomUUID())
      const founded = log.founded("alice", ["bob"])
      const [first, second] = [log.message("alice", "𝒳"), log.message("bob")]
      await store.append([founded], { node: "n", number: 1 })
      await store.append([others.founded("carol")], { node: "m", number: 1 })
      await store.append([first, second], { node: "n", number: 5 })
      const stored = [
        { number: 1, entry: founded },
        { number: 5, entry: first },
        { number: 6, entry: second },
      ]
      expect(await nodes.storedBy("n", 0, 10)).toEqual(stored)
      expect(await nodes.storedBy("n", 1, 1)).toEqual([stored[1]!])
      expect(await nodes.storedBy("n", 6, 10)).toEqual([])
      expect(await nodes.storedBy("nobody", 0, 10)).toEqual([])
    })

    test("gives back what came late, too, under numbers that are asked for", async () => {
      const log = createLog(crypto.randomUUID())
      const all = [log.founded("alice"), ...[1, 2, 3, 4].map((n) => log.message("alice", `${n}`))]
      expect(await nodes.newestOf("late")).toBe(0)
      for (const [index, entry] of all.entries()) {
        await store.append([entry], { node: "late", number: [9, 2, 5, 3, 7][index]! })
      }
      const numbers = async (after: number, limit: number, also?: number[]) =>
        (await nodes.storedBy("late", after, limit, also)).map(({ number }) => number)
      expect(await numbers(5, 10)).toEqual([7, 9])
      expect(await numbers(5, 10, [])).toEqual([7, 9])
      expect(await numbers(5, 10, [1, 2, 3, 4])).toEqual([2, 3, 7, 9])
      expect(await numbers(5, 3, [3, 2])).toEqual([2, 3, 7])
      expect(await numbers(9, 10, [4])).toEqual([])
      expect(await nodes.newestOf("late")).toBe(9)
    })

    test("says which node cannot publish", async () => {
      await nodes.put({ ...record("mute"), mute: true })
      expect((await find("mute"))!.mute).toBe(true)
      await nodes.put(record("mute", 2))
      expect((await find("mute"))!.mute ?? false).toBe(false)
    })

    test("knows nothing of what was refused, and needs no position", async () => {
      const conversation = crypto.randomUUID()
      const [log, rival] = [createLog(conversation), createLog(conversation)]
      await store.append([log.founded("alice")])
      rival.founded("alice")
      await store.append([log.message("alice")])
      expect(await store.append([rival.message("alice")], { node: "x", number: 1 })).toBe(0)
      expect(await nodes.storedBy("x", 0, 10)).toEqual([])
    })
  })
}
