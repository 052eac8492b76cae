import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  MAX_BATCH,
  MAX_BATCH_BYTES,
  MAX_WAITING,
  MAX_WAITING_BYTES_OF_ONE,
  MAX_WAITING_OF_ONE,
} from "../limits.ts"
import { Lane } from "./lane.ts"

interface Item {
  by: string
  bytes: number
  alone: boolean
  number: number
}
let numbers = 0
const item = (by: string, bytes = 10, alone = false): Item => ({
  ...{ by, bytes, alone, number: ++numbers },
})
const fill = (lane: Lane<Item>, by: string, count: number) => {
  for (let i = 0; i < count; i++) expect(lane.push(item(by))).toBeUndefined()
}

describe("a lane", () => {
  test("serves its senders in turn", () => {
    const lane = new Lane<Item>()
    fill(lane, "mallory", 900)
    fill(lane, "alice", 2)
    fill(lane, "bob", 1)
    const batch = lane.next()
    expect(batch.slice(0, 6).map(({ by }) => by)).toEqual([
      ...["mallory", "alice", "bob", "mallory", "alice", "mallory"],
    ])
    expect(batch).toHaveLength(MAX_BATCH)
    expect(lane.size).toBe(903 - MAX_BATCH)
  })

  test("goes on with the next sender where the last batch was full", () => {
    const lane = new Lane<Item>()
    for (let i = 0; i < MAX_BATCH + 10; i++) fill(lane, `user${i}`, 2)
    const first = lane.next().map(({ by }) => by)
    expect(new Set(first).size).toBe(MAX_BATCH)
    expect(
      lane
        .next()
        .slice(0, 11)
        .map(({ by }) => by),
    ).toEqual([...Array.from({ length: 10 }, (_, i) => `user${MAX_BATCH + i}`), "user0"])
  })

  test("ends a batch where its bytes are many", () => {
    const lane = new Lane<Item>()
    for (let i = 0; i < 100; i++) lane.push(item("alice", 32_000))
    expect(lane.next()).toHaveLength(Math.ceil(MAX_BATCH_BYTES / 32_000))
  })

  test("refuses a sender with too many, or too large ones, and no other one", () => {
    const lane = new Lane<Item>()
    fill(lane, "mallory", MAX_WAITING_OF_ONE)
    const more = item("mallory")
    expect(lane.push(more)).toBe(more)
    expect(lane.push(item("alice"))).toBeUndefined()
    const large = Math.floor(MAX_WAITING_BYTES_OF_ONE / 32_000)
    for (let i = 0; i < large; i++) expect(lane.push(item("trent", 32_000))).toBeUndefined()
    const last = item("trent", 32_000)
    expect(lane.push(last)).toBe(last)
  })

  test("that is full makes room for a sender with few by the newest of the one with the most", () => {
    const lane = new Lane<Item>()
    for (let i = 0; i < MAX_WAITING / MAX_WAITING_OF_ONE; i++) {
      fill(lane, `mallory${i}`, MAX_WAITING_OF_ONE)
    }
    expect(lane.size).toBe(MAX_WAITING)
    expect(lane.push(item("alice"))).toMatchObject({ by: "mallory0" })
    expect(lane.size).toBe(MAX_WAITING)
    expect(lane.next().some(({ by }) => by === "alice")).toBe(true)
    // Where all are alike, the newcomer is refused.
    const alike = new Lane<Item>()
    for (let i = 0; i < MAX_WAITING; i++) fill(alike, `user${i}`, 1)
    const late = item("alice")
    expect(alike.push(late)).toBe(late)
  })

  test("keeps each sender's order, loses nothing, and gives what is alone a batch of its own", () => {
    const step = fc.record({ by: fc.constantFrom("a", "b", "c", "d"), alone: fc.boolean() })
    const steps = fc.array(fc.oneof(step, fc.constant("next" as const)), { maxLength: 200 })
    fc.assert(
      fc.property(steps, (steps) => {
        const lane = new Lane<Item>()
        const given: Item[] = []
        const taken: Item[] = []
        const take = () => {
          const batch = lane.next()
          if (batch.some(({ alone }) => alone)) expect(batch).toHaveLength(1)
          taken.push(...batch)
          return batch.length
        }
        for (const step of steps) {
          if (step === "next") take()
          else {
            given.push(item(step.by, 10, step.alone))
            lane.push(given.at(-1)!)
          }
        }
        while (take() > 0);
        expect(lane.size).toBe(0)
        for (const by of ["a", "b", "c", "d"]) {
          const of = (items: Item[]) => items.filter((item) => item.by === by)
          expect(of(taken)).toEqual(of(given))
        }
      }),
    )
  })
})
