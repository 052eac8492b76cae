import { describe, expect, test } from "bun:test"
import { MARKS_AT_ONCE } from "../limits.ts"
import { createMarks } from "./marks.ts"
import { until } from "./testing.ts"

describe("marks", () => {
  test("the first goes out at once, the rest as one, and only forward", async () => {
    const told: string[] = []
    const marks = createMarks({
      every: 40,
      send: async (mark, _conversation, seq) => void told.push(`${mark} ${seq}`),
    })
    marks.move("delivered", "c1", 1)
    await until(() => told.length === 1)
    for (const seq of [2, 3, 9, 4]) marks.move("delivered", "c1", seq)
    await until(() => told.length === 2)
    expect(told).toEqual(["delivered 1", "delivered 9"])
  })

  test("what is read is not told as delivered as well", async () => {
    const told: string[] = []
    const marks = createMarks({
      every: 1,
      send: async (mark, _conversation, seq) => void told.push(`${mark} ${seq}`),
    })
    marks.move("delivered", "c1", 5)
    marks.move("read", "c1", 5)
    marks.move("read", "c2", 1)
    await until(() => told.includes("read 1"))
    expect(told).toEqual(["read 5", "read 1"])
  })

  test("what did not get through is told again by itself, after a pause that is one for all", async () => {
    let reachable = false
    const told: string[] = []
    const marks = createMarks({
      every: 1,
      async send(_mark, conversation) {
        told.push(conversation)
        if (!reachable) throw new Error("unreachable")
      },
    })
    const conversations = Array.from({ length: 40 }, (_, i) => `c${i}`)
    for (const conversation of conversations) marks.move("read", conversation, 5)
    await until(() => told.length > 0)
    // More comes in meanwhile, and does not make it try sooner.
    for (let seq = 6; seq < 30; seq += 1) {
      await Bun.sleep(2)
      marks.move("read", "c0", seq)
    }
    expect(told.length).toBeLessThanOrEqual(2 * MARKS_AT_ONCE)
    reachable = true
    const after = told.length
    await until(() => told.length >= after + conversations.length)
    expect(new Set(told.slice(after))).toEqual(new Set(conversations))
  })
})

test("few conversations' marks are told at a time", async () => {
  const told: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const marks = createMarks({
    every: 1,
    async send(_mark, conversation) {
      told.push(conversation)
      await promise
    },
  })
  for (let i = 0; i < 20; i++) marks.move("read", `c${i}`, 1)
  await until(() => told.length >= 4)
  await Bun.sleep(0)
  expect(told).toHaveLength(4)
  resolve()
  await until(() => told.length === 20)
})
