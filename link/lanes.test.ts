import { expect, test } from "bun:test"
import { Cancellation } from "./cancellation.ts"
import { createLanes } from "./lanes.ts"
import {
  FIRST_QUERIES_AT_ONCE,
  MUTATIONS_AT_ONCE,
  QUERIES_AT_ONCE,
  QUERIES_AT_ONCE_IN_ALL,
  QUERIES_WAITING,
  WAITING_BYTES,
} from "./limits.ts"

test("few queries of a person are under way at once; the rest begin in order as these end", async () => {
  const lanes = createLanes()
  for (let i = 0; i < QUERIES_AT_ONCE; i++) expect(lanes.enter("alice", "query")).toBeUndefined()
  const begun: number[] = []
  const waiting = [0, 1, 2].map((i) => lanes.enter("alice", "query")?.then(() => begun.push(i)))
  expect(waiting.every((one) => one instanceof Promise)).toBe(true)
  expect(lanes.enter("bob", "query")).toBeUndefined()
  expect(lanes.enter("alice", "mutation")).toBeUndefined()
  await Promise.resolve()
  expect(begun).toEqual([])
  lanes.leave("alice", "query")
  lanes.leave("alice", "query")
  await Promise.all(waiting.slice(0, 2))
  expect(begun).toEqual([0, 1])
})

test("of all persons together few queries are under way, but for the first one of each", async () => {
  const lanes = createLanes()
  const crowd = Array.from({ length: QUERIES_AT_ONCE_IN_ALL / QUERIES_AT_ONCE }, (_, i) => `${i}`)
  for (const person of crowd) {
    for (let i = 0; i < QUERIES_AT_ONCE; i++) expect(lanes.enter(person, "query")).toBeUndefined()
  }
  expect(lanes.enter("alice", "query")).toBeUndefined()
  const begun: string[] = []
  void lanes.enter("alice", "query")?.then(() => begun.push("alice"))
  void lanes.enter("0", "query")?.then(() => begun.push("0"))
  lanes.leave("0", "query")
  await Promise.resolve()
  // There is one too many still: the first one of Alice.
  expect(begun).toEqual([])
  lanes.leave("1", "query")
  await Promise.resolve()
  // The person with the fewest comes first, though others have waited for longer.
  expect(begun).toEqual(["alice"])
  for (let i = 0; i < 2; i++) lanes.leave("alice", "query")
  for (const person of crowd) {
    for (let i = 0; i < QUERIES_AT_ONCE; i++) lanes.leave(person, "query")
  }
  await Promise.resolve()
  expect(begun).toEqual(["alice", "0"])
})

test("a person's queries go on one by one while others have all places", async () => {
  const lanes = createLanes()
  for (let i = 0; i < FIRST_QUERIES_AT_ONCE - 1; i++) lanes.enter(`${i}`, "query")
  expect(lanes.enter("alice", "query")).toBeUndefined()
  const begun: number[] = []
  for (const i of [0, 1]) void lanes.enter("alice", "query")?.then(() => begun.push(i))
  await Promise.resolve()
  expect(begun).toEqual([])
  lanes.leave("alice", "query")
  await Promise.resolve()
  expect(begun).toEqual([0])
  lanes.leave("alice", "query")
  await Promise.resolve()
  expect(begun).toEqual([0, 1])
})

test("a person with too many that wait is refused, and told when to come again", () => {
  const lanes = createLanes()
  for (let i = 0; i < QUERIES_AT_ONCE + QUERIES_WAITING; i++) {
    lanes.check("alice", "query")
    void lanes.enter("alice", "query")
  }
  expect(() => lanes.check("alice", "query")).toThrow(
    expect.objectContaining({
      code: "RATE_LIMITED",
      details: { retryAfterMs: expect.any(Number) },
    }),
  )
  lanes.check("alice", "mutation")
  lanes.check("bob", "query")
  lanes.leave("alice", "query")
  lanes.check("alice", "query")
})

test("mutations keep their order, and a gateway's shared work is not held up", async () => {
  const lanes = createLanes()
  for (let i = 0; i < MUTATIONS_AT_ONCE; i++) void lanes.enter("alice", "mutation")
  const begun: number[] = []
  const waiting = Array.from({ length: 20 }, (_, i) =>
    lanes.enter("alice", "mutation")?.then(() => begun.push(i)),
  )
  for (let i = 0; i < 20; i++) lanes.leave("alice", "mutation")
  await Promise.all(waiting)
  expect(begun).toEqual(Array.from({ length: 20 }, (_, i) => i))
  for (let i = 0; i < 10_000; i++) expect(lanes.enter(undefined, "query")).toBeUndefined()
})

test("nothing is kept of a person whose operations have ended", () => {
  const lanes = createLanes()
  for (const kind of ["query", "mutation"] as const) {
    void lanes.enter("alice", kind)
    lanes.leave("alice", kind)
  }
  expect(lanes.size).toBe(0)
})

test("first queries of many persons wait in the order in which they came, and each gets its turn", async () => {
  const lanes = createLanes()
  const begun: string[] = []
  const people = Array.from({ length: FIRST_QUERIES_AT_ONCE + 20 }, (_, i) => `${i}`)
  for (const person of people) {
    const entered = lanes.enter(person, "query")
    if (entered) void entered.then(() => begun.push(person))
    else begun.push(person)
  }
  expect(begun).toHaveLength(FIRST_QUERIES_AT_ONCE)
  // One with many under way and more that wait is not served before them.
  for (let i = 0; i < 3; i++) void lanes.enter("0", "query")?.then(() => begun.push("0 again"))
  for (let i = 0; i < 20; i++) {
    lanes.leave(`${i + 1}`, "query")
    await Promise.resolve()
  }
  expect(begun).toEqual(people)
  for (const person of people.slice(21)) lanes.leave(person, "query")
  await Promise.resolve()
  expect(begun.slice(people.length)).toContain("0 again")
})

test("a person's mutations that wait are bounded, and half a second is long enough for some to end", () => {
  const lanes = createLanes()
  for (let i = 0; i < 256 + 2_000; i++) {
    lanes.check("alice", "mutation")
    void lanes.enter("alice", "mutation")
  }
  expect(() => lanes.check("alice", "mutation")).toThrow(
    expect.objectContaining({ code: "RATE_LIMITED", details: { retryAfterMs: 500 } }),
  )
  lanes.check("bob", "mutation")
})

test("what waits is bounded in bytes, too, and one that begins makes room", () => {
  const lanes = createLanes()
  for (let i = 0; i < MUTATIONS_AT_ONCE; i++) void lanes.enter("alice", "mutation", WAITING_BYTES)
  const each = WAITING_BYTES / 4
  for (let i = 0; i < 4; i++) {
    lanes.check("alice", "mutation", each)
    void lanes.enter("alice", "mutation", each)
  }
  expect(() => lanes.check("alice", "mutation", 1)).toThrow(
    expect.objectContaining({ code: "RATE_LIMITED" }),
  )
  lanes.check("bob", "mutation", each)
  lanes.leave("alice", "mutation")
  lanes.check("alice", "mutation", each)
})

test("one that is cancelled while it waits goes before its turn, and the others keep theirs", async () => {
  const lanes = createLanes()
  for (let i = 0; i < QUERIES_AT_ONCE; i++) void lanes.enter("alice", "query")
  const gone = new Cancellation()
  const begun: string[] = []
  void lanes.enter("alice", "query")?.then(() => begun.push("first"))
  void lanes.enter("alice", "query", WAITING_BYTES, gone)?.then(() => begun.push("gone"))
  void lanes.enter("alice", "query")?.then(() => begun.push("second"))
  gone.cancel()
  await Promise.resolve()
  expect(begun).toEqual(["gone"])
  lanes.check("alice", "query", WAITING_BYTES)
  lanes.leave("alice", "query")
  await Promise.resolve()
  expect(begun).toEqual(["gone"])
  for (let i = 0; i < 2; i++) lanes.leave("alice", "query")
  await Promise.resolve()
  expect(begun).toEqual(["gone", "first", "second"])
  for (let i = 0; i < QUERIES_AT_ONCE; i++) lanes.leave("alice", "query")
  expect(lanes.size).toBe(0)
})
