import { expect, test } from "bun:test"
import fc from "fast-check"
import { LruMap } from "./lru.ts"

test("a map with a bound forgets what was used least recently, as a list would that moves what is used to its end", () => {
  const key = fc.nat({ max: 6 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), key, value: fc.nat() }),
    fc.record({ kind: fc.constant("get" as const), key }),
    fc.record({ kind: fc.constant("delete" as const), key }),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (limit, steps) => {
      const map = new LruMap<number, number>(limit)
      let list: { key: number; value: number }[] = []
      for (const step of steps) {
        const found = list.find(({ key }) => key === step.key)
        const others = list.filter(({ key }) => key !== step.key)
        if (step.kind === "get") {
          expect(map.get(step.key)).toBe(found?.value)
          if (found) list = [...others, found]
        } else if (step.kind === "delete") {
          expect(map.delete(step.key)).toBe(found !== undefined)
          list = others
        } else {
          map.set(step.key, step.value)
          list = [...others, { key: step.key, value: step.value }].slice(-limit)
        }
        expect(map.size).toBe(list.length)
      }
      for (const { key, value } of list) expect(map.get(key)).toBe(value)
      map.clear()
      expect(map.size).toBe(0)
    }),
  )
})
