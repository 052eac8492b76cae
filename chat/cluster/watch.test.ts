import { expect, test } from "bun:test"
import { createWatch } from "./watch.ts"

const record = (id: string, beat: number, heir: string | null = null) => ({
  ...{ id, url: `http://${id}`, beat, draining: false, announced: 0, heir },
})
const ids = (records: { id: string }[]) => records.map(({ id }) => id)

test("a node lives as long as its beat moves, and is dead four beats after it stopped", () => {
  const watch = createWatch(100)
  for (let now = 0; now <= 1_000; now += 100) {
    watch.see([record("a", now), record("b", Math.min(now, 500))], now)
    expect([now, ids(watch.dead())]).toEqual([now, now >= 900 ? ["b"] : []])
  }
  expect(ids(watch.live())).toEqual(["a"])
})

test("a beat that goes back is a beat, too: whatever moves lives", () => {
  const watch = createWatch(100)
  for (let now = 0; now <= 1_000; now += 100) watch.see([record("a", -now)], now)
  expect(ids(watch.live())).toEqual(["a"])
})

test("whoever did not look counts nobody as dead for what they missed", () => {
  const watch = createWatch(100)
  watch.see([record("a", 1)], 0)
  watch.see([record("a", 1)], 60_000)
  expect(ids(watch.live())).toEqual(["a"])
  for (let now = 60_100; now <= 60_400; now += 100) watch.see([record("a", 1)], now)
  expect(ids(watch.dead())).toEqual(["a"])
})

test("what it says is of late only as long as it goes on looking", () => {
  const watch = createWatch(100)
  expect(watch.isCurrent(0)).toBe(false)
  watch.see([record("a", 1)], 0)
  expect([watch.isCurrent(399), watch.isCurrent(400)]).toEqual([true, false])
})

test("a node that has an heir is dead, even if it moves; one that has left is forgotten", () => {
  const watch = createWatch(100)
  watch.see([record("a", 1), record("b", 1)], 0)
  watch.see([record("a", 2, "b"), record("b", 2)], 100)
  expect([ids(watch.live()), ids(watch.dead())]).toEqual([["b"], ["a"]])
  watch.see([record("b", 3)], 200)
  expect([ids(watch.live()), ids(watch.dead())]).toEqual([["b"], []])
})
