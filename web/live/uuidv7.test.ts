import { expect, test } from "bun:test"
import { isUuidv7, uuidv7Time } from "@parley/platform/ids.ts"
import { uuidv7 } from "./uuidv7.ts"

test("makes ids as the server demands them, with the time inside", () => {
  const now = Date.UTC(2026, 5, 1, 12)
  const ids = Array.from({ length: 500 }, () => uuidv7(now))
  expect(ids.every(isUuidv7)).toBe(true)
  expect(ids.every((id) => uuidv7Time(id) === now)).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
})
