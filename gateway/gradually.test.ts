import { expect, test } from "bun:test"
import { gradually } from "./gradually.ts"

test("a few are served at once, the rest in their order and not in one go", async () => {
  const served: number[] = []
  const done = gradually(
    Array.from({ length: 1_000 }, (_, i) => i),
    (one) => served.push(one),
  )
  expect(served.length).toBe(250)
  await Bun.sleep(0)
  expect(served.length).toBeLessThan(1_000)
  await done
  expect(served).toEqual(served.toSorted((a, b) => a - b))
  expect(served.length).toBe(1_000)
})
