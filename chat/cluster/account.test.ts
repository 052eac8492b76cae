import { expect, test } from "bun:test"
import fc from "fast-check"
import type { Stamp } from "../store/nodes.ts"
import { createAccount } from "./account.ts"

function open() {
  const time = { now: 0 }
  let lives = 0
  const times = { lookAfter: 10, giveUpAfter: 100 }
  const newLife = () => `life ${++lives}`
  return { time, account: createAccount({ newLife, now: () => time.now, times }) }
}
const later = () => Promise.withResolvers<void>()

test("numbers are given out once, in one go for what is stored together", () => {
  const { account } = open()
  expect(account.stamp(3)).toEqual({ node: "life 1", number: 1 })
  expect(account.stamp(1)).toEqual({ node: "life 1", number: 4 })
})

test("what counts as announced ends before the first entry that is not", async () => {
  const { account } = open()
  const [first, second, third] = [account.stamp(1), account.stamp(1), account.stamp(1)]
  const published = later()
  account.stored(first, published.promise)
  account.stored(second, undefined)
  account.unused(third)
  expect(account.announced()).toBe(0)
  expect(account.isSettled()).toBe(false)
  published.resolve()
  await published.promise
  expect(account.announced()).toBe(3)
  expect(account.isSettled()).toBe(true)
})

test("what the bus would not take is a stretch to announce from the log, and grows meanwhile", async () => {
  const { account } = open()
  const refused = Promise.reject(new Error("full"))
  const stamps = Array.from({ length: 5 }, () => account.stamp(1))
  for (const index of [3, 1]) account.stored(stamps[index]!, refused)
  for (const index of [0, 2, 4]) account.unused(stamps[index]!)
  await refused.catch(() => {})
  const stretch = account.unannounced()!
  expect(stretch).toMatchObject({ from: 2, to: 4 })
  expect(account.announced()).toBe(1)

  account.stored(account.stamp(1), refused)
  await refused.catch(() => {})
  stretch.done(4, [2, 4])
  expect(account.announced()).toBe(4)
  expect(account.unannounced()).toMatchObject({ from: 5, to: 6 })
  account.unannounced()!.done(6, [6])
  expect(account.unannounced()).toBeUndefined()
  expect(account.isSettled()).toBe(true)
})

test("what the bus would not take while a stretch of it was being announced is announced after that", async () => {
  const { account } = open()
  const refuse = async (stamp: Stamp) => {
    account.stored(stamp, Promise.reject(new Error("full")))
    await new Promise(setImmediate)
  }
  const [first, middle, last] = [account.stamp(1), account.stamp(1), account.stamp(1)]
  await refuse(first)
  await refuse(last)
  const stretch = account.unannounced()!
  await refuse(middle)
  stretch.done(3, [1, 3])
  expect(account.announced()).toBe(1)
  expect(account.unannounced()).toMatchObject({ from: 2, to: 3 })
})

test("a write that failed is looked up once it has had time to arrive, until it was found or time is up", () => {
  const { account, time } = open()
  account.doubtful(account.stamp(2), 2)
  expect(account.announced()).toBe(0)
  expect(account.doubts(time.now)).toBeUndefined()
  time.now = 10
  const stretch = account.doubts(time.now)!
  expect(stretch).toMatchObject({ from: 1, to: 2 })
  expect([1, 2, 3].map(stretch.wants)).toEqual([true, true, false])
  stretch.done(2, [2])
  expect(account.doubts(time.now)).toMatchObject({ from: 1, to: 1 })
  expect(account.announced()).toBe(0)
  time.now = 100
  account.doubts(time.now)!.done(1, [])
  expect(account.doubts(time.now)).toBeUndefined()
  expect(account.announced()).toBe(2)
})

test("a new life has numbers of its own, and nothing of the old one counts in it", async () => {
  const { account } = open()
  const old = account.stamp(2)
  account.renew()
  expect(account.isSettled()).toBe(true)
  const stamp = account.stamp(1)
  expect(stamp).toEqual({ node: "life 2", number: 1 })
  account.stored(old, undefined)
  account.unused(old)
  account.doubtful(old, 2)
  expect(account.announced()).toBe(0)
  expect(account.doubts(1_000)).toBeUndefined()
})

test("nothing counts as announced before it was, whatever happens in which order", async () => {
  const outcome = fc.constantFrom("published", "refused", "pending", "unused", "doubtful")
  await fc.assert(
    fc.asyncProperty(
      fc.array(outcome, { maxLength: 30 }),
      fc.infiniteStream(fc.nat()),
      async (outcomes, order) => {
        const { account } = open()
        const stamped = outcomes.map((outcome) => ({ outcome, stamp: account.stamp(1) }))
        const shuffled = stamped
          .map((one) => ({ one, key: order.next().value as number }))
          .sort((a, b) => a.key - b.key)
        for (const {
          one: { outcome, stamp },
        } of shuffled) {
          if (outcome === "published") account.stored(stamp, Promise.resolve())
          if (outcome === "refused") account.stored(stamp, Promise.reject(new Error("full")))
          if (outcome === "pending") account.stored(stamp, later().promise)
          if (outcome === "unused") account.unused(stamp)
          if (outcome === "doubtful") account.doubtful(stamp, 1)
        }
        await new Promise(setImmediate)
        const firstOpen = stamped.findIndex(({ outcome }) => !/published|unused/.test(outcome))
        expect(account.announced()).toBe(firstOpen < 0 ? outcomes.length : firstOpen)
      },
    ),
  )
})

test("10,000 doubts are looked up one by one, and more as one stretch", () => {
  const { account } = open()
  account.doubtful(account.stamp(10_000), 10_000)
  expect(account.unannounced()).toBeUndefined()
  account.doubtful(account.stamp(5), 5)
  expect(account.unannounced()).toMatchObject({ from: 10_001, to: 10_005 })
})
