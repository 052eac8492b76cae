import { expect, test } from "bun:test"
import fc from "fast-check"
import type { OutboxPosition } from "../store/nodes.ts"
import { createOutbox } from "./outbox.ts"

function open() {
  const time = { now: 0 }
  let lives = 0
  const times = { lookAfter: 10, giveUpAfter: 100 }
  const newLife = () => `life ${++lives}`
  return { time, outbox: createOutbox({ newLife, now: () => time.now, times }) }
}
const later = () => Promise.withResolvers<void>()

test("numbers are given out once, in one go for what is stored together", () => {
  const { outbox } = open()
  expect(outbox.reserve(3)).toEqual({ node: "life 1", number: 1 })
  expect(outbox.reserve(1)).toEqual({ node: "life 1", number: 4 })
})

test("what counts as announced ends before the first entry that is not", async () => {
  const { outbox } = open()
  const [first, second, third] = [outbox.reserve(1), outbox.reserve(1), outbox.reserve(1)]
  const published = later()
  outbox.stored(first, published.promise)
  outbox.stored(second, undefined)
  outbox.unused(third)
  expect(outbox.announced()).toBe(0)
  expect(outbox.isSettled()).toBe(false)
  published.resolve()
  await published.promise
  expect(outbox.announced()).toBe(3)
  expect(outbox.isSettled()).toBe(true)
})

test("what the bus would not take is a range to announce from the log, and grows meanwhile", async () => {
  const { outbox } = open()
  const refused = Promise.reject(new Error("full"))
  const positions = Array.from({ length: 5 }, () => outbox.reserve(1))
  for (const index of [3, 1]) outbox.stored(positions[index]!, refused)
  for (const index of [0, 2, 4]) outbox.unused(positions[index]!)
  await refused.catch(() => {})
  const range = outbox.unannounced()!
  expect(range).toMatchObject({ from: 2, to: 4 })
  expect(outbox.announced()).toBe(1)

  outbox.stored(outbox.reserve(1), refused)
  await refused.catch(() => {})
  range.done(4, [2, 4])
  expect(outbox.announced()).toBe(4)
  expect(outbox.unannounced()).toMatchObject({ from: 5, to: 6 })
  outbox.unannounced()!.done(6, [6])
  expect(outbox.unannounced()).toBeUndefined()
  expect(outbox.isSettled()).toBe(true)
})

test("what the bus would not take while a range of it was being announced is announced after that", async () => {
  const { outbox } = open()
  const refuse = async (position: OutboxPosition) => {
    outbox.stored(position, Promise.reject(new Error("full")))
    await new Promise(setImmediate)
  }
  const [first, middle, last] = [outbox.reserve(1), outbox.reserve(1), outbox.reserve(1)]
  await refuse(first)
  await refuse(last)
  const range = outbox.unannounced()!
  await refuse(middle)
  range.done(3, [1, 3])
  expect(outbox.announced()).toBe(1)
  expect(outbox.unannounced()).toMatchObject({ from: 2, to: 3 })
})

test("a write that failed is looked up once it has had time to arrive, until it was found or time is up", () => {
  const { outbox, time } = open()
  outbox.doubtful(outbox.reserve(2), 2)
  expect(outbox.announced()).toBe(0)
  expect(outbox.doubts(time.now)).toBeUndefined()
  time.now = 10
  const range = outbox.doubts(time.now)!
  expect(range).toMatchObject({ from: 1, to: 2 })
  expect([1, 2, 3].map(range.wants)).toEqual([true, true, false])
  range.done(2, [2])
  expect(outbox.doubts(time.now)).toMatchObject({ from: 1, to: 1 })
  expect(outbox.announced()).toBe(0)
  time.now = 100
  outbox.doubts(time.now)!.done(1, [])
  expect(outbox.doubts(time.now)).toBeUndefined()
  expect(outbox.announced()).toBe(2)
})

test("a new life has numbers of its own, and nothing of the old one counts in it", async () => {
  const { outbox } = open()
  const old = outbox.reserve(2)
  outbox.renew()
  expect(outbox.isSettled()).toBe(true)
  const position = outbox.reserve(1)
  expect(position).toEqual({ node: "life 2", number: 1 })
  outbox.stored(old, undefined)
  outbox.unused(old)
  outbox.doubtful(old, 2)
  expect(outbox.announced()).toBe(0)
  expect(outbox.doubts(1_000)).toBeUndefined()
})

test("nothing counts as announced before it was, whatever happens in which order", async () => {
  const outcome = fc.constantFrom("published", "refused", "pending", "unused", "doubtful")
  await fc.assert(
    fc.asyncProperty(
      fc.array(outcome, { maxLength: 30 }),
      fc.infiniteStream(fc.nat()),
      async (outcomes, order) => {
        const { outbox } = open()
        const positioned = outcomes.map((outcome) => ({ outcome, position: outbox.reserve(1) }))
        const shuffled = positioned
          .map((one) => ({ one, key: order.next().value as number }))
          .sort((a, b) => a.key - b.key)
        for (const {
          one: { outcome, position },
        } of shuffled) {
          if (outcome === "published") outbox.stored(position, Promise.resolve())
          if (outcome === "refused") outbox.stored(position, Promise.reject(new Error("full")))
          if (outcome === "pending") outbox.stored(position, later().promise)
          if (outcome === "unused") outbox.unused(position)
          if (outcome === "doubtful") outbox.doubtful(position, 1)
        }
        await new Promise(setImmediate)
        const firstOpen = positioned.findIndex(({ outcome }) => !/published|unused/.test(outcome))
        expect(outbox.announced()).toBe(firstOpen < 0 ? outcomes.length : firstOpen)
      },
    ),
  )
})

test("10,000 doubts are looked up one by one, and more as one range", () => {
  const { outbox } = open()
  outbox.doubtful(outbox.reserve(10_000), 10_000)
  expect(outbox.unannounced()).toBeUndefined()
  outbox.doubtful(outbox.reserve(5), 5)
  expect(outbox.unannounced()).toMatchObject({ from: 10_001, to: 10_005 })
})
