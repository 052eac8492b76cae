import { expect, test } from "bun:test"
import { createWeighedCache } from "./weighed-cache.ts"

test("a cache forgets what was used least recently once it is too heavy", () => {
  const cache = createWeighedCache<{ n: number }>({ maxBytes: 4_000, maxEntryBytes: 2_000 })
  for (let n = 0; n < 3; n++) cache.set(`k${n}`, { n }, 1_000)
  expect(cache.get("k0")).toEqual({ n: 0 })
  cache.set("k3", { n: 3 }, 1_000)
  expect(cache.get("k1")).toBeUndefined()
  expect(cache.get("k0")).toEqual({ n: 0 })
  expect(cache.bytes).toBeWithin(3_000, 4_001)
})

test("a cache does not keep what is too heavy alone, and weighs its keys", () => {
  const cache = createWeighedCache<{ n: number }>({ maxBytes: 4_000, maxEntryBytes: 2_000 })
  cache.set("heavy", { n: 1 }, 2_500)
  cache.set("x".repeat(1_500), { n: 2 }, 1)
  cache.set("light", { n: 3 }, 1)
  expect(cache.get("heavy")).toBeUndefined()
  expect(cache.get("x".repeat(1_500))).toBeUndefined()
  expect(cache.get("light")).toEqual({ n: 3 })
})

test("an entry weighs its value, its key and what the cache needs for it", () => {
  const cache = createWeighedCache<object>({ maxBytes: 4_000, maxEntryBytes: 2_000 })
  cache.set("key", {}, 1_000)
  expect(cache.bytes).toBe(1_000 + 2 * 3 + 100)
})
