import { expect, test } from "bun:test"
import { MAX_REMEMBERED_OPERATIONS, SUSPECT_MS } from "../limits.ts"
import { createRepeats } from "./repeats.ts"

const ask = (query: string, variables = {}) => ({ query, variables, repeatable: true })

test("a document that no node has answered yet is not sent to a second one", () => {
  const repeats = createRepeats()
  expect(repeats.mayRepeat(ask("{ new }"))).toBeFalse()
  repeats.answered(ask("{ known }", { n: 1 }))
  expect(repeats.mayRepeat(ask("{ known }", { n: 2 }))).toBeTrue()
})

test("an operation in flight at two breaks within a minute is suspect, until it is answered", () => {
  let now = 0
  const repeats = createRepeats(() => now)
  const mine = ask("{ known }", { n: 1 })
  repeats.answered(mine)
  expect(repeats.mayRepeat(mine)).toBeTrue()
  expect(repeats.mayRepeat(mine)).toBeFalse()
  expect(repeats.mayRepeat(ask("{ known }", { n: 2 }))).toBeTrue()
  repeats.answered(mine)
  expect(repeats.mayRepeat(mine)).toBeTrue()
  now += SUSPECT_MS
  expect(repeats.mayRepeat(mine)).toBeTrue()
})

test("what is remembered has a bound: the oldest is forgotten", () => {
  const repeats = createRepeats()
  repeats.answered(ask("{ old }"))
  for (let i = 0; i < MAX_REMEMBERED_OPERATIONS; i++) repeats.answered(ask(`{ f${i} }`))
  expect(repeats.mayRepeat(ask("{ old }"))).toBeFalse()
  expect(repeats.mayRepeat(ask(`{ f${MAX_REMEMBERED_OPERATIONS - 1} }`))).toBeTrue()
})
