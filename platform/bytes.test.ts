import { expect, test } from "bun:test"
import fc from "fast-check"
import { isLongerThan } from "./bytes.ts"

test("bytes are counted, not characters", () => {
  expect(isLongerThan("aaaa", 4)).toBeFalse()
  expect(isLongerThan("aaaaa", 4)).toBeTrue()
  expect(isLongerThan("éé", 4)).toBeFalse()
  expect(isLongerThan("€€", 5)).toBeTrue()
  expect(isLongerThan("👋", 4)).toBeFalse()
  expect(isLongerThan("👋", 3)).toBeTrue()
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(100), (text, bytes) => {
      expect(isLongerThan(text, bytes)).toBe(Buffer.byteLength(text) > bytes)
    }),
  )
})
