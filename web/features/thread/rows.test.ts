import { describe, expect, test } from "bun:test"
import { ALICE, aConversation, aMessage, BOB } from "../../live/testing.ts"
import { daysOf, type RowOptions, rowsOf } from "./rows.ts"

const options: RowOptions = {
  viewer: ALICE,
  pending: [],
  limit: 100,
  dayKey: (at) => new Date(at).toISOString().slice(0, 10),
}
const entries = [aMessage(1, BOB), aMessage(2, BOB), aMessage(3, ALICE)]
const conversation = aConversation({ entries, position: 3, complete: true })

describe("the rows of a thread", () => {
  test("begin with the day and run together by sender", () => {
    const rows = rowsOf(conversation, options)
    expect(rows.map(({ row }) => row)).toEqual(["day", "message", "message", "message"])
    const runs = rows.flatMap((row) => (row.row === "message" ? [[row.first, row.last]] : []))
    expect(runs).toEqual([
      [true, false],
      [false, true],
      [true, true],
    ])
  })

  test("divide what was unread at opening, if it is loaded that far back", () => {
    const rows = rowsOf(conversation, { ...options, fresh: { after: 1, count: 1 } })
    expect(rows.map(({ row }) => row)).toEqual(["day", "message", "fresh", "message", "message"])
    const later = { ...conversation, entries: entries.slice(2), complete: false }
    const without = rowsOf(later, { ...options, fresh: { after: 1, count: 1 } })
    expect(without.some(({ row }) => row === "fresh")).toBe(false)
  })

  test("end with what is on its way", () => {
    const createdAt = Date.UTC(2026, 0, 2)
    const state = { is: "failed", reason: "No." } as const
    const pending = [{ id: "m9", conversation: "c1", text: "Hi", createdAt, state }]
    const rows = rowsOf(conversation, { ...options, pending })
    expect(rows.at(-1)).toMatchObject({ text: "Hi", tick: "failed", reason: "No.", own: true })
    expect(daysOf(rows).map(({ rows }) => rows.length)).toEqual([3, 1])
  })
})
