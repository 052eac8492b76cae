import { expect, test } from "bun:test"
import { MAX_WAITING_OF_ONE } from "../limits.ts"
import { fewAtOnce } from "./at-once.ts"

function setUp(limit: number | undefined) {
  const underWay: Record<string, number> = {}
  const most: Record<string, number> = {}
  const order: string[] = []
  const ends: (() => void)[] = []
  const service = fewAtOnce(
    {
      async act(user: string, what: string): Promise<string> {
        underWay[user] = (underWay[user] ?? 0) + 1
        most[user] = Math.max(most[user] ?? 0, underWay[user])
        order.push(what)
        await new Promise<void>((resolve) => ends.push(resolve))
        underWay[user] -= 1
        if (what === "fails") throw new Error("it failed")
        return `${user}: ${what}`
      },
    },
    limit,
  )
  const finish = async () => {
    while (ends.length > 0) {
      ends.shift()!()
      await new Promise(setImmediate)
    }
  }
  return { service, most, order, finish }
}

test("one person has so many calls under way, the others wait in order, and others' do not", async () => {
  const { service, most, order, finish } = setUp(3)
  const calls = Array.from({ length: 10 }, (_, i) => service.act("mallory", `${i}`))
  const other = service.act("alice", "mine")
  expect(order).toEqual(["0", "1", "2", "mine"])
  await finish()
  expect(await Promise.all([...calls, other])).toEqual([
    ...calls.map((_, i) => `mallory: ${i}`),
    "alice: mine",
  ])
  expect(order.filter((what) => what !== "mine")).toEqual(calls.map((_, i) => `${i}`))
  expect(most).toEqual({ mallory: 3, alice: 1 })
})

test("a call that fails makes room as one that does not", async () => {
  const { service, most, finish } = setUp(2)
  const calls = Array.from({ length: 7 }, () => service.act("alice", "fails"))
  const outcomes = Promise.allSettled(calls)
  await finish()
  for (const { status } of await outcomes) expect(status).toBe("rejected")
  const later = service.act("alice", "after it")
  await finish()
  expect(await later).toBe("alice: after it")
  expect(most.alice).toBe(2)
})

test("beyond what may wait, one person's calls are refused, and another's are not", async () => {
  const { service, finish } = setUp(1)
  const calls = Array.from({ length: 1 + MAX_WAITING_OF_ONE }, () => service.act("mallory", "x"))
  await expect(service.act("mallory", "one more")).rejects.toMatchObject({
    ...{ code: "RATE_LIMITED", details: { retryAfterMs: 1_000 } },
  })
  calls.push(service.act("alice", "mine"))
  await finish()
  await Promise.all(calls)
})

test("32 calls of one person are under way where nothing else is said", async () => {
  const { service, order, finish } = setUp(undefined)
  const calls = Array.from({ length: 40 }, (_, i) => service.act("alice", `${i}`))
  expect(order).toHaveLength(32)
  await finish()
  await Promise.all(calls)
})
