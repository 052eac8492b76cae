import { expect, test } from "bun:test"
import { FETCHED_PER_ANSWER, MAX_OPERATION_REPRESENTATIONS } from "../limits.ts"
import { Spent } from "./spent.ts"

const tooLarge = expect.objectContaining({ code: "TOO_LARGE" })
const thrownBy = (act: () => void) => {
  try {
    act()
  } catch (error) {
    return error
  }
}

test("one operation may fetch, look up and copy so much, in all", () => {
  const spent = new Spent(1_000)
  for (let i = 0; i < FETCHED_PER_ANSWER; i++) spent.fetch(1_000)
  expect(thrownBy(() => spent.fetch(1))).toEqual(tooLarge)
  spent.copy(1_000)
  expect(thrownBy(() => spent.copy(1))).toEqual(tooLarge)
  spent.lookUp(MAX_OPERATION_REPRESENTATIONS)
  expect(thrownBy(() => spent.lookUp(1))).toEqual(tooLarge)
})
