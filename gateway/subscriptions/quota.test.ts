import { expect, test } from "bun:test"
import { MAX_SUBSCRIBED_BYTES, REMEMBERED_DOCUMENT } from "../limits.ts"
import { createSubscriptionQuota } from "./quota.ts"
import { Subscriber } from "./subscriber.ts"

const subscriber = () => new Subscriber('"1"', {} as never, {} as never, () => {})
const EVENTS = { text: "subscription { events { __typename } }" }

test("a person, and a gateway, may have so many; one that is over makes room for another", async () => {
  const quota = createSubscriptionQuota(5, 3)
  const [first] = Array.from({ length: 3 }, () => {
    const one = subscriber()
    expect(quota.enter("alice", one, EVENTS)).toBeUndefined()
    return one
  })
  expect(quota.enter("alice", subscriber(), EVENTS)).toMatchObject({ code: "RATE_LIMITED" })
  expect(quota.enter("bob", subscriber(), EVENTS)).toBeUndefined()
  expect(quota.enter("bob", subscriber(), EVENTS)).toBeUndefined()
  expect(quota.enter("carol", subscriber(), EVENTS)).toMatchObject({ code: "RATE_LIMITED" })
  await first!.return()
  await first!.return()
  expect(quota.size).toBe(4)
  expect(quota.enter("carol", subscriber(), EVENTS)).toBeUndefined()
  expect(quota.enter("alice", subscriber(), EVENTS)).toMatchObject({ code: "RATE_LIMITED" })
})

test("the documents of one person are weighed, each once, and one alone may be long", async () => {
  const quota = createSubscriptionQuota()
  const text = "x".repeat(MAX_SUBSCRIBED_BYTES / REMEMBERED_DOCUMENT.bytesACharacter)
  const [long, other] = [{ text }, { text }]
  const all = Array.from({ length: 3 }, subscriber)
  for (const one of all) expect(quota.enter("alice", one, long)).toBeUndefined()
  expect(quota.enter("alice", subscriber(), EVENTS)).toMatchObject({ code: "RATE_LIMITED" })
  expect(quota.enter("bob", subscriber(), other)).toBeUndefined()
  for (const one of all) {
    expect(quota.enter("alice", subscriber(), other)).toMatchObject({ code: "RATE_LIMITED" })
    await one.return()
  }
  expect(quota.enter("alice", subscriber(), other)).toBeUndefined()
})

test("a gateway has 100,000 subscriptions, and a person 200", () => {
  const quota = createSubscriptionQuota()
  const enter = (user: string) => quota.enter(user, subscriber(), EVENTS) === undefined
  for (let i = 0; i < 99_800; i++) enter(`${i}`)
  for (let i = 0; i < 300; i++) enter("alice")
  expect(quota.size).toBe(100_000)
  expect(enter("bob")).toBe(false)
})
