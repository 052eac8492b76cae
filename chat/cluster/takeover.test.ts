import { expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import type { Nodes } from "../store/nodes.ts"
import type { NumberRange } from "./outbox.ts"
import { createTakeover } from "./takeover.ts"

/** A dead node's numbers in the log, and an heir of it that notes which it has announced. */
function bequeath(announced: number) {
  const left = { inLog: new Set<number>(), told: [] as number[], fails: false, now: 0 }
  const kept = { announced, forgotten: false }
  const nodes = {
    async announce(_id: string, upTo: number) {
      kept.announced = upTo
    },
    async forget() {
      kept.forgotten = true
    },
  } as Partial<Nodes> as Nodes
  async function announceRange(_node: string, range: NumberRange) {
    const found = [...left.inLog].filter((n) => n >= range.from && range.wants(n))
    if (left.fails) throw new Error("the bus is away")
    left.told.push(...found)
    range.done(range.to, found)
  }
  const heir = createTakeover({ nodes, announceRange, log: silentLogger, now: () => left.now })
  const dead = { id: "dead", url: "", beat: 1, draining: false, announced, heir: "heir" }
  return { left, kept, settle: () => heir.settle(dead, "heir") }
}

test("what a dead node left is announced once, and what arrives late as well, in whatever order", async () => {
  const { left, settle } = bequeath(8)
  for (const number of [7, 8, 9, 11]) left.inLog.add(number)
  await settle()
  expect(left.told).toEqual([9, 11])
  left.inLog.add(10)
  await settle()
  await settle()
  expect(left.told).toEqual([9, 11, 10])
})

test("what could not be announced is announced later", async () => {
  const { left, settle } = bequeath(0)
  left.inLog.add(1)
  left.fails = true
  await settle().catch(() => {})
  left.fails = false
  await settle()
  expect(left.told).toEqual([1])
})

test("a dead node is forgotten once nothing of it has arrived for a minute", async () => {
  const { left, kept, settle } = bequeath(0)
  await settle()
  left.now = 59_000
  left.inLog.add(1)
  await settle()
  left.now = 118_000
  await settle()
  expect(kept.forgotten).toBe(false)
  left.now = 119_000
  await settle()
  expect(kept.forgotten).toBe(true)
})

test("a long left is not gone through again from its beginning", async () => {
  const { left, kept, settle } = bequeath(0)
  for (let number = 1; number <= 50_000; number++) left.inLog.add(number)
  await settle()
  expect(kept.announced).toBe(30_000)
  await settle()
  expect(left.told).toHaveLength(50_000)
})
