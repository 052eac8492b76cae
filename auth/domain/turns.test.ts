import { expect, test } from "bun:test"
import { FRESH_TURN_EVERY_MS, USED_TURN_EVERY_MS } from "../limits.ts"
import type { Counter } from "../store/store.ts"
import { stoppedClock } from "../test/parts.ts"
import { createTurns } from "./turns.ts"

/** Two processes on one store. */
function twoNodes() {
  const clock = stoppedClock()
  const held = new Map<string, Counter>()
  const store = {
    counter: async (key: string) => held.get(key),
    async putCounter(counter: Counter) {
      if (counter.version !== (held.get(counter.key)?.version ?? 0) + 1) return false
      held.set(counter.key, counter)
      return true
    },
  }
  const node = () => createTurns({ store, clock, message: "wait" })
  return { clock, nodes: [node(), node()] as const }
}
type Turns = ReturnType<typeof createTurns>

/** What an address is told to wait, in ms; 0 where it is let through. */
const wait = (turns: Turns, network: string) =>
  turns.take("alice", network).then(
    () => 0,
    (error) => error.details.retryAfterMs as number,
  )

test("an address that asks many times at once, at several nodes, is given one turn", async () => {
  const { clock, nodes } = twoNodes()
  const crowd = () =>
    Promise.all(Array.from({ length: 10 }, (_, i) => wait(nodes[i % 2]!, "192.0.2.1")))
  expect(await crowd()).toEqual(Array(10).fill(FRESH_TURN_EVERY_MS))
  expect(await wait(nodes[0], "192.0.2.2")).toBe(2 * FRESH_TURN_EVERY_MS)

  // One of them uses the turn; all others wait for the next one, which is one again.
  clock.pass(FRESH_TURN_EVERY_MS)
  const waits = await crowd()
  expect(waits.filter((ms) => ms === 0)).toHaveLength(1)
  expect(waits.filter((ms) => ms === USED_TURN_EVERY_MS)).toHaveLength(9)
})

test("addresses that ask at once, at several nodes, are given turns one after the other", async () => {
  const { nodes } = twoNodes()
  const waits = await Promise.all(
    Array.from({ length: 10 }, (_, i) => wait(nodes[i % 2]!, `192.0.2.${i}`)),
  )
  const turns = Array.from({ length: 10 }, (_, i) => (i + 1) * FRESH_TURN_EVERY_MS)
  expect(waits.sort((a, b) => a - b)).toEqual(turns)
  // Each is let through at the time that it was told of, which the early one hears once more.
  const told = await Promise.all(turns.map((_, i) => wait(nodes[0], `192.0.2.${i}`)))
  expect(told.sort((a, b) => a - b)).toEqual(turns)
})
