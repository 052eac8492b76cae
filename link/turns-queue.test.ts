import { expect, test } from "bun:test"
import fc from "fast-check"
import { createPersonQueue, type Person } from "./turns-queue.ts"

const person = (used: number): Person => ({
  ...{ name: `${used}`, used, works: 1, waiting: [], place: 0 },
})

test("gives out persons in the order of what they have used", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000 })), (used) => {
      const queue = createPersonQueue()
      for (const one of used) queue.add(person(one))
      expect(queue.size).toBe(used.length)
      const order = used.map(() => queue.next()!.used)
      expect(order).toEqual(used.toSorted((a, b) => a - b))
      expect(queue.next()).toBeUndefined()
    }),
  )
})

test("goes by what they have used by now, also where that was after they took their place", () => {
  const queue = createPersonQueue()
  const [alice, bob] = [person(1), person(2)]
  queue.add(alice)
  queue.add(bob)
  alice.used = 3
  expect([queue.next(), queue.next()]).toEqual([bob, alice])
})
