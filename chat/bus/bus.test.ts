import { expect, test } from "bun:test"
import { partitionOf } from "@parley/platform/partition.ts"
import { createLog } from "../test/log-builder.ts"
import { toRecords } from "./bus.ts"

test("an event becomes one record per partition among its users", () => {
  const event = { kind: "entry", entry: createLog("c").founded("alice") } as const
  const users = Array.from({ length: 300 }, (_, i) => `user-${i}`)
  const records = toRecords(event, users, 64)
  for (const [partition, record] of records) {
    expect(record.event).toBe(event)
    expect(record.users.map((user) => partitionOf(user, 64))).toEqual(
      record.users.map(() => partition),
    )
  }
  expect([...records.values()].flatMap(({ users }) => users).sort()).toEqual([...users].sort())
  expect(toRecords(event, [], 64).size).toBe(0)
})
