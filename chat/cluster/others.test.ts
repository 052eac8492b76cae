import { beforeEach, expect, test } from "bun:test"
import type { Entry } from "../domain/entry.ts"
import {
  OTHERS_AT_ONCE,
  OTHERS_HOLE_WITHIN,
  OTHERS_KEEP_GONE,
  OTHERS_LOOK_BACK,
  OTHERS_MAX_BEHIND,
  OTHERS_MAX_HOLES,
  OTHERS_PAGE,
  OTHERS_PAGES_PER_ROUND,
} from "../limits.ts"
import type { NodeRecord, NumberedEntry } from "../store/nodes.ts"
import { createLog } from "../test/log-builder.ts"
import { createOthers, type Others } from "./others.ts"

let time: number
let records: NodeRecord[]
let stored: Map<string, Map<number, Entry>>
let asked: { id: string; after: number; also: readonly number[] }[]
let others: Others
/** Nodes whose entries are being asked for, and the most that were at any time. */
let asking: number
let most: number

const record = (id: string, announced = 0, mute = false): NodeRecord => ({
  ...{ id, url: `http://${id}`, beat: 1, draining: false, announced, heir: null, mute },
})
const log = createLog("c")

/** A node stores under these numbers. */
function store(id: string, ...numbers: number[]): void {
  const mine = stored.get(id) ?? new Map<number, Entry>()
  stored.set(id, mine)
  for (const number of numbers) mine.set(number, log.message("alice", `${id} ${number}`))
}
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

async function read(isLast = false): Promise<{ texts: string[]; isWhole: boolean }> {
  const texts: string[] = []
  const isWhole = await others.read((entry) => {
    if (entry.kind === "message") texts.push(entry.text)
  }, isLast)
  return { texts, isWhole }
}

beforeEach(() => {
  ;[time, records, stored, asked] = [0, [], new Map(), []]
  asking = most = 0
  others = createOthers({
    self: () => "self",
    now: () => time,
    nodes: {
      all: async () => records,
      newestOf: async (id) => Math.max(0, ...(stored.get(id)?.keys() ?? [])),
      async storedBy(id, after, limit, also = []) {
        asked.push({ id, after, also })
        asking += 1
        most = Math.max(most, asking)
        await Promise.resolve()
        asking -= 1
        return [...(stored.get(id) ?? [])]
          .filter(([number]) => number > after || also.includes(number))
          .sort(([a], [b]) => a - b)
          .slice(0, limit)
          .map(([number, entry]): NumberedEntry => ({ number, entry }))
      },
    },
  })
})

test("reads what others store, once, and nothing of its own", async () => {
  records = [record("self"), record("a"), record("b")]
  for (const id of ["self", "a", "b"]) store(id, 1)
  expect((await read()).texts.sort()).toEqual(["a 1", "b 1"])
  store("a", 2)
  expect(await read()).toEqual({ texts: ["a 2"], isWhole: true })
  expect((await read()).texts).toEqual([])
})

test("begins where announcements stood some seconds ago", async () => {
  store("a", ...range(1, 9))
  for (const [at, announced] of [
    [0, 2],
    [OTHERS_LOOK_BACK / 2, 4],
    [OTHERS_LOOK_BACK, 6],
    [OTHERS_LOOK_BACK * 1.5, 8],
  ] as const) {
    time = at
    records = [record("a", announced)]
    others.see(records)
  }
  expect((await read()).texts).toEqual(range(5, 9).map((n) => `a ${n}`))
  time = OTHERS_LOOK_BACK * 10
  others.see(records)
  others.begin()
  expect((await read()).texts).toEqual(["a 9"])
})

test("begins with the first entry of a node that was not there some seconds ago", async () => {
  records = [record("a", 1)]
  others.see(records)
  time = OTHERS_LOOK_BACK
  store("a", 1, 2)
  store("b", ...range(1, 4))
  // It announced some of it before it was first seen, and more since.
  records = [record("a", 1), record("b", 2)]
  others.see(records)
  time += OTHERS_LOOK_BACK / 2
  records = [record("a", 2), record("b", 3), record("c", 2)]
  store("c", ...range(1, 2))
  const { texts } = await read()
  expect(texts.sort()).toEqual(["a 2", "b 1", "b 2", "b 3", "b 4", "c 1", "c 2"])
})

test("begins with what is new where much was never announced", async () => {
  records = [record("a")]
  store("a", ...range(1, 3), ...range(OTHERS_MAX_BEHIND, OTHERS_MAX_BEHIND + 5))
  expect((await read()).texts[0]).toBe(`a ${OTHERS_MAX_BEHIND}`)
  expect(asked[0]!.after).toBe(5)
})

test("finds what was overtaken, and gives it up in the end", async () => {
  records = [record("a")]
  store("a", 1, 4)
  await read()
  store("a", 3, 5)
  expect((await read()).texts).toEqual(["a 3", "a 5"])
  expect(asked.at(-1)!.also).toEqual([2, 3])
  time = OTHERS_HOLE_WITHIN - 1
  await read()
  expect(asked.at(-1)!.also).toEqual([2])
  time = OTHERS_HOLE_WITHIN
  await read()
  expect(asked.at(-1)!.also).toEqual([])
})

test("looks for them ever more seldom, and for all of them in a last reading", async () => {
  records = [record("a")]
  store("a", 1, 3)
  await read()
  const looked: number[] = []
  for (time = 500; time < OTHERS_HOLE_WITHIN; time += 500) {
    await read()
    if (asked.at(-1)!.also.length > 0) looked.push(time)
  }
  expect(looked).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000])
  store("a", 2)
  time = 16_001
  expect((await read()).texts).toEqual([])
  expect((await read(true)).texts).toEqual(["a 2"])
})

test("looks for a bounded number of them, the newest", async () => {
  records = [record("a")]
  store("a", 1)
  await read()
  store("a", 5_000)
  store("a", 10_000)
  await read()
  await read()
  const { also } = asked.at(-1)!
  expect(also).toHaveLength(OTHERS_MAX_HOLES)
  expect(also[0]).toBe(10_000 - OTHERS_MAX_HOLES)
  store("a", 10_010)
  await read()
  await read()
  expect(asked.at(-1)!.also).toHaveLength(OTHERS_MAX_HOLES)
  expect(asked.at(-1)!.also.at(-1)).toBe(10_009)
})

test("reads a bounded number of entries at once, and says that there are more", async () => {
  records = [record("a"), record("b")]
  const page = OTHERS_PAGE * OTHERS_PAGES_PER_ROUND
  store("a", ...range(1, page + 1))
  store("b", 1)
  const first = await read()
  expect(first.texts).toHaveLength(page + 1)
  expect(first.isWhole).toBe(false)
  expect(await read()).toEqual({ texts: [`a ${page + 1}`], isWhole: true })
})

test("reads few nodes at a time, however many there are", async () => {
  const ids = range(1, 3 * OTHERS_AT_ONCE).map((n) => `n${n}`)
  records = ids.map((id) => record(id))
  for (const id of ids) store(id, ...range(1, OTHERS_PAGE + 1))
  expect((await read()).texts).toHaveLength(ids.length * (OTHERS_PAGE + 1))
  expect(most).toBe(OTHERS_AT_ONCE)
})

test("goes on with a node that has left the registry, for a while", async () => {
  records = [record("a")]
  await read()
  records = []
  store("a", 1)
  expect((await read()).texts).toEqual(["a 1"])
  time = OTHERS_KEEP_GONE + 1
  store("a", 2)
  expect((await read()).texts).toEqual([])
})

test("knows whether another node cannot publish", () => {
  others.see([record("self", 0, true), record("a")])
  expect(others.areMute).toBe(false)
  others.see([record("self"), record("a", 0, true)])
  expect(others.areMute).toBe(true)
})
