import { expect, test } from "bun:test"
import { createPulse } from "./pulse.ts"

test("beats while every broker answers in time", () => {
  const pulse = createPulse(1_000)
  expect(pulse.beats(0)).toBe(false)
  pulse.begin(1, 0)
  pulse.end(1, 50)
  pulse.begin(1, 55)
  expect(pulse.beats(1_050)).toBe(true)
  expect(pulse.beats(1_056)).toBe(false)
  pulse.end(1, 2_000)
  expect(pulse.beats(2_000)).toBe(true)
})

test("one of three brokers that is silent is enough, until it is given up", () => {
  const pulse = createPulse(1_000)
  const answer = (at: number) => {
    for (const broker of [1, 2]) {
      pulse.begin(broker, at)
      pulse.end(broker, at)
    }
  }
  pulse.begin(3, 0)
  answer(900)
  expect(pulse.beats(900)).toBe(true)
  answer(1_100)
  expect(pulse.beats(1_100)).toBe(false)
  answer(14_900)
  expect(pulse.beats(14_900)).toBe(false)
  answer(15_100)
  expect(pulse.beats(15_100)).toBe(true)
})

test("a consumer that is replaced leaves neither an answer nor a debt", () => {
  const pulse = createPulse(1_000)
  pulse.begin(1, 0)
  pulse.end(1, 10)
  expect(pulse.beats(1_011)).toBe(false)
  pulse.begin(1, 2_000)
  pulse.rest()
  expect(pulse.beats(2_000)).toBe(false)
  pulse.begin(1, 2_010)
  pulse.end(1, 2_020)
  expect(pulse.beats(2_030)).toBe(true)
})
