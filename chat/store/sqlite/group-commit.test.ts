import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { createGroupCommit } from "./group-commit.ts"

test("writes that fail together are refused together, and the next ones are not", async () => {
  const db = new Database(":memory:")
  db.run("CREATE TABLE notes (n INTEGER PRIMARY KEY)")
  const { write } = createGroupCommit(db)
  const insert = (n: number) => write(() => db.run("INSERT INTO notes VALUES (?)", [n]).changes)
  const outcomes = await Promise.allSettled([insert(1), insert(2), insert(2), insert(3)])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } })
  }
  expect(await Promise.all([insert(1), insert(2)])).toEqual([1, 1])
  expect(db.query("SELECT n FROM notes").values()).toEqual([[1], [2]])
})

test("more than can wait is refused at once, and what waits is written", async () => {
  const { write } = createGroupCommit(new Database(":memory:"))
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50_003 }, (_, i) => write(() => i)),
  )
  const refused = outcomes.filter((outcome) => outcome.status === "rejected")
  expect(refused.map(({ reason }) => reason.code)).toEqual([
    "UNAVAILABLE",
    "UNAVAILABLE",
    "UNAVAILABLE",
  ])
  expect(outcomes[49_999]).toEqual({ status: "fulfilled", value: 49_999 })
  expect(await write(() => "again")).toBe("again")
})
