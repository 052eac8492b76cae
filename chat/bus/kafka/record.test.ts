import { describe, expect, test } from "bun:test"
import { partitionOf } from "@parley/platform/partition.ts"
import { createLog } from "../../test/log-builder.ts"
import type { BusEvent } from "../bus.ts"
import { decodeRecord, encodeRecords, MAX_RECORD } from "./record.ts"

const log = createLog("c")
const founded: BusEvent = { kind: "entry", entry: log.founded("alice", ["bob"]) }
const spoken: BusEvent = { kind: "entry", entry: log.message("alice", "👋 \u{2028} ﷽") }
const receipt: BusEvent = {
  ...{ kind: "receipt", conversation: "c", user: "alice", delivered: 7, read: 3 },
}
const wire = (given: unknown) => Buffer.from(JSON.stringify(given))
const record = (event: unknown) => ({ event, users: ["bob"] })

test("what is encoded is decoded as it was", () => {
  for (const event of [founded, spoken, receipt]) {
    const [encoded] = encodeRecords(event, ["bob"], 64)
    expect(encoded?.partition).toBe(partitionOf("bob", 64))
    expect(decodeRecord(encoded!.value)).toEqual({ event, users: ["bob"] })
  }
})

test("what brought an event about is in the headers, and in nothing that is kept", () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  for (const cause of [{ requestId: "a1b2-7" }, { requestId: "a1b2-7", traceparent }]) {
    for (const event of [spoken, receipt]) {
      const [encoded] = encodeRecords({ ...event, cause }, ["bob"], 64)
      const { "request-id": requestId, ...more } = encoded!.headers
      expect({ requestId, ...more }).toEqual(cause)
      expect(encoded!.value).toEqual(encodeRecords(event, ["bob"], 64)[0]!.value)
      const asReceived = Object.fromEntries(
        Object.entries(encoded!.headers).map(([name, value]) => [name, Buffer.from(value)]),
      )
      expect(decodeRecord(encoded!.value, asReceived).event).toEqual({ ...event, cause })
    }
  }
  expect(encodeRecords(spoken, ["bob"], 64)[0]!.headers).toEqual({})
  const odd = { "request-id": "two\nlines", traceparent: "nonsense" }
  expect(decodeRecord(wire(record(receipt)), odd).event).toEqual(receipt)
})

test("an event for nobody has no record", () => {
  expect(encodeRecords(spoken, [], 64)).toEqual([])
})

test("the largest event for very many users comes in records that are small enough", () => {
  const text = "\u{1}".repeat(8_000)
  const users = Array.from({ length: 2_500 }, (_, i) => `${i}`.padStart(64, "u"))
  const parts = encodeRecords({ kind: "entry", entry: log.message("alice", text) }, users, 1)
  expect(parts).toHaveLength(3)
  const decoded = parts.map(({ value }) => decodeRecord(value))
  expect(decoded.flatMap(({ users }) => users)).toEqual(users)
  for (const { value } of parts) expect(value.length).toBeLessThan(MAX_RECORD / 4)
  // As many members as a group can have, all of them named by the event itself.
  const everybody = Array.from({ length: 1_024 }, (_, i) => `${i}`.padStart(64, "u"))
  const crowd = createLog("crowd").changed("alice", { joined: everybody, promoted: everybody })
  const [largest] = encodeRecords({ kind: "entry", entry: crowd }, everybody, 1)
  expect(largest!.value.length).toBeLessThan(MAX_RECORD / 4)
})

test("a field that a newer node has added is left out", () => {
  const { event, users } = decodeRecord(wire({ ...record({ ...receipt, mood: 1 }), trace: "x" }))
  expect({ event, users }).toEqual({ event: receipt, users: ["bob"] })
})

describe("what is no record is refused with a reason:", () => {
  const entry = log.message("alice")
  const poison: Record<string, [Buffer | null, RegExp]> = {
    "no value": [null, /empty/],
    "no bytes": [Buffer.alloc(0), /JSON/],
    "broken JSON": [Buffer.from('{"event":'), /JSON/],
    "a text that is no UTF-8": [
      Buffer.from(`{"event":${JSON.stringify(receipt)},"users":["\xff\xfe"]}`, "latin1"),
      /encoded data|UTF-8/i,
    ],
    "a number": [wire(1), /it/],
    null: [wire(null), /it/],
    "no users": [wire({ event: receipt }), /users/],
    "an empty list of users": [wire({ event: receipt, users: [] }), /users/],
    "users that are none": [wire({ event: receipt, users: [7] }), /users/],
    "a kind of event that is not known": [wire(record({ kind: "typing" })), /event/],
    "a kind of entry that is not known": [
      wire(record({ kind: "entry", entry: { ...entry, kind: "poll" } })),
      /entry/,
    ],
    "a seq that is none": [wire(record({ kind: "entry", entry: { ...entry, seq: 0 } })), /seq/],
    "half a seq": [wire(record({ kind: "entry", entry: { ...entry, seq: 1.5 } })), /seq/],
    "a tally that is none": [
      wire(record({ kind: "entry", entry: { ...entry, tally: { messages: 1 } } })),
      /tally/,
    ],
    "a text that nobody could have written": [
      wire(record({ kind: "entry", entry: { ...entry, text: "a".repeat(900_000) } })),
      /text/,
    ],
    "more than a megabyte": [Buffer.alloc(MAX_RECORD + 1, " "), /bytes/],
    "an endless nesting": [Buffer.from("[".repeat(MAX_RECORD)), /./],
  }
  for (const [name, [value, reason]] of Object.entries(poison)) {
    test(name, () => expect(() => decodeRecord(value)).toThrow(reason))
  }
})

test("a record names at most 1,000 people, and an event for more is several", () => {
  const users = Array.from({ length: 2_500 }, (_, i) => `user${i}`)
  const named = encodeRecords(spoken, users, 1).map(({ value }) => decodeRecord(value)!.users)
  expect(named.map(({ length }) => length)).toEqual([1_000, 1_000, 500])
  expect(named.flat()).toEqual(users)
})
