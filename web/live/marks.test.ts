import { describe, expect, test } from "bun:test"
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

  test("what did not get through is told again when the server is back", async () => {
    let reachable = false
    const told: number[] = []
    const marks = createMarks({
      every: 1,
      async send(_mark, _conversation, seq) {
        told.push(seq)
        if (!reachable) throw new Error("unreachable")
      },
    })
    marks.move("read", "c1", 5)
    await until(() => told.length === 1)
    reachable = true
    marks.resend()
    await until(() => told.length === 2)
    marks.resend()
    expect(told).toEqual([5, 5])
  })
})
