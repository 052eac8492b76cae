import { expect, test } from "bun:test"
import { createNeeds } from "./needs.ts"
import { until } from "./testing.ts"

/** Tasks that are done when the test says so. */
function scene() {
  const begun: string[] = []
  const running: (() => void)[] = []
  const task = (what: string) => (id: string) => {
    begun.push(`${what} ${id}`)
    return new Promise<void>((resolve) => running.push(resolve))
  }
  const tasks = {
    fill: task("fill"),
    conversation: task("conversation"),
    count: task("count"),
  }
  const { satisfy } = createNeeds(tasks, task("catch up"), () => new AbortController().signal)
  return {
    begun,
    need: (need: keyof typeof tasks) => satisfy({ need, conversation: "c1" }),
    async finish(next: string) {
      const before = begun.length
      running.shift()?.()
      await until(() => begun.length > before)
      expect(begun.slice(before)).toEqual([next])
    },
    finishAll() {
      for (const resolve of running.splice(0)) resolve()
    },
  }
}

test("what is found missing while something else is on its way comes next", async () => {
  for (const [first, second] of [
    ["fill", "count"],
    ["count", "fill"],
    ["fill", "conversation"],
    ["conversation", "fill"],
  ] as const) {
    const { begun, need, finish } = scene()
    need(first)
    need(second)
    need(second)
    expect(begun).toEqual([`${first} c1`])
    await finish(`${second} c1`)
    expect(begun.length).toBe(2)
  }
})

test("what came while a picture was on its way is caught up on; the same hole is filled once", async () => {
  const { begun, need, finish } = scene()
  need("conversation")
  need("conversation")
  await finish("catch up c1")
  const other = scene()
  other.need("fill")
  other.need("fill")
  other.finishAll()
  // Another hole, once the first is filled.
  await until(() => {
    other.need("fill")
    return other.begun.length === 2
  })
  expect(begun.length).toBe(2)
})
