import { beforeEach, describe, expect, test } from "bun:test"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"
import { unlimited } from "../test/lifted.ts"
import { createLog, type LogBuilder } from "../test/log-builder.ts"
import { refusal } from "../test/world.ts"
import type { Entry } from "./entry.ts"
import { createReceipts, type Receipt } from "./receipts.ts"
import { createStateCache } from "./state-cache.ts"

const group = "group"
let store = openSqliteStore(":memory:")
let told: { receipt: Receipt; users: string[] }[] = []

const receiptsOfNode = () =>
  createReceipts({
    ...{ store, states: createStateCache(store), allowance: unlimited },
    onMoved: (receipt, users) => told.push({ receipt, users: [...users].sort() }),
  })
let receipts = receiptsOfNode()

let log: LogBuilder
const append = async (...entries: Entry[]) => {
  expect(await store.append(entries)).toBe(entries.length)
}
beforeEach(async () => {
  store = openSqliteStore(":memory:")
  told = []
  receipts = receiptsOfNode()
  log = createLog(group)
  // 1: the group; 2 to 5: messages of Alice, Bob, Carol and Alice again.
  await append(log.founded("alice", ["bob", "carol", "dave"]))
  for (const by of ["alice", "bob", "carol", "alice"]) await append(log.message(by))
})
const marks = async (user: string) => {
  const member = await store.member(group, user)
  return [member!.delivered, member!.read]
}

describe("a watermark", () => {
  test("moves forward only", async () => {
    await receipts.mark("dave", group, "delivered", 4)
    expect(await receipts.mark("dave", group, "delivered", 2)).toMatchObject({
      delivered: 4,
      read: 1,
    })
    await receipts.mark("dave", group, "read", 3)
    expect(await receipts.mark("dave", group, "read", 2)).toMatchObject({ delivered: 4, read: 3 })
    expect(await receipts.mark("dave", group, "read", 0)).toMatchObject({ delivered: 4, read: 3 })
    expect(await marks("dave")).toEqual([4, 3])
    expect(await marks("bob")).toEqual([1, 1])
    expect(told).toHaveLength(2)
  })

  test("of what was read covers what was delivered", async () => {
    expect(await receipts.mark("dave", group, "read", 5)).toMatchObject({ delivered: 5, read: 5 })
    expect(await marks("dave")).toEqual([5, 5])
  })

  test("goes up to the head of the log, as any node knows it, and not beyond", async () => {
    await receipts.mark("dave", group, "read", 5)
    for (const seq of [6, 7, 2 ** 31 - 1]) {
      expect(await refusal(receipts.mark("dave", group, "read", seq))).toMatchObject({
        ...{ code: "BAD_INPUT", details: { field: "seq" } },
      })
    }
    expect(await marks("dave")).toEqual([5, 5])
    await append(log.message("alice", "written on another node"))
    expect(await receipts.mark("dave", group, "read", 6)).toMatchObject({ read: 6 })
  })

  test.each([-1, 1.5, Number.NaN, 2 ** 31, null as unknown as number])("is no %p", async (seq) => {
    expect(await refusal(receipts.mark("dave", group, "delivered", seq))).toMatchObject({
      ...{ code: "BAD_INPUT", details: { field: "seq" } },
    })
  })

  test("is not there for whoever is no member, whatever the seq", async () => {
    await append(log.changed("alice", { left: ["dave"] }))
    for (const [user, conversation] of [
      ["dave", group],
      ["mallory", group],
      ["dave", "nowhere"],
    ] as const) {
      for (const seq of [1, 6, 600]) {
        expect(await refusal(receipts.mark(user, conversation, "read", seq))).toMatchObject({
          code: "NOT_FOUND",
        })
      }
    }
    expect(told).toEqual([])
  })

  test("may be moved by several requests at once, on a node that has yet to catch up", async () => {
    await receipts.mark("dave", group, "read", 2)
    for (let i = 0; i < 20; i++) await append(log.message("bob"))
    await Promise.all(
      ["alice", "bob", "carol", "dave"].flatMap((user) =>
        [25, 24, 23].map((seq) => receipts.mark(user, group, "read", seq)),
      ),
    )
    for (const user of ["alice", "bob", "carol", "dave"])
      expect(await marks(user)).toEqual([25, 25])
  })
})

describe("of a receipt are told", () => {
  const lastTold = () => told.at(-1)?.users
  test("the member themselves and the authors of what it covers", async () => {
    await receipts.mark("dave", group, "delivered", 3)
    expect(told).toEqual([
      {
        receipt: { kind: "receipt", conversation: group, user: "dave", delivered: 3, read: 1 },
        users: ["alice", "bob", "dave"],
      },
    ])
    await receipts.mark("dave", group, "delivered", 4)
    expect(lastTold()).toEqual(["carol", "dave"])
    await receipts.mark("dave", group, "read", 2)
    expect(lastTold()).toEqual(["alice", "dave"])
    await receipts.mark("alice", group, "read", 2)
    expect(lastTold()).toEqual(["alice"])
  })

  test("nobody who has left", async () => {
    await append(log.changed("bob", { left: ["bob"] }))
    await receipts.mark("dave", group, "read", 6)
    expect(lastTold()).toEqual(["alice", "carol", "dave"])
  })

  test("the authors of what was read now, however far beyond it was delivered", async () => {
    for (let i = 0; i < 600; i++) await append(log.message("bob"))
    await receipts.mark("dave", group, "delivered", 605)
    expect(lastTold()).toEqual(["bob", "dave"])
    await receipts.mark("dave", group, "read", 4)
    expect(lastTold()).toEqual(["alice", "bob", "carol", "dave"])
  })

  test("no more than the recent authors, where a reader returns to thousands of messages", async () => {
    for (let i = 0; i < 600; i++) await append(log.message("bob"))
    await receipts.mark("dave", group, "read", 605)
    expect(lastTold()).toEqual(["bob", "dave"])
  })

  test("nobody at all, where nothing moved", async () => {
    await receipts.mark("dave", group, "read", 1)
    await receipts.mark("dave", group, "delivered", 0)
    expect(told).toEqual([])
  })
})
