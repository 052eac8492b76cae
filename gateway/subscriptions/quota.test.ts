import { expect, test } from "bun:test"
import { createSubscriptionQuota } from "./quota.ts"
import { Subscriber } from "./subscriber.ts"

const subscriber = () => new Subscriber('"1"', {} as never, {} as never, () => {})

test("a person, and a gateway, may have so many; one that is over makes room for another", async () => {
  const quota = createSubscriptionQuota(5, 3)
  const [first] = Array.from({ length: 3 }, () => {
    const one = subscriber()
    expect(quota.enter("alice", one)).toBeUndefined()
    return one
  })
  expect(quota.enter("alice", subscriber())).toMatchObject({ code: "RATE_LIMITED" })
  expect(quota.enter("bob", subscriber())).toBeUndefined()
  expect(quota.enter("bob", subscriber())).toBeUndefined()
  expect(quota.enter("carol", subscriber())).toMatchObject({ code: "RATE_LIMITED" })
  await first!.return()
  await first!.return()
  expect(quota.size).toBe(4)
  expect(quota.enter("carol", subscriber())).toBeUndefined()
  expect(quota.enter("alice", subscriber())).toMatchObject({ code: "RATE_LIMITED" })
})

test("a gateway has 100,000 subscriptions, and a person 200", () => {
  const quota = createSubscriptionQuota()
  const enter = (user: string) => quota.enter(user, subscriber()) === undefined
  for (let i = 0; i < 99_800; i++) enter(`${i}`)
  for (let i = 0; i < 300; i++) enter("alice")
  expect(quota.size).toBe(100_000)
  expect(enter("bob")).toBe(false)
})
