import { expect, test } from "bun:test"
import { isUuidv7, uuidv7Source, uuidv7Time } from "./ids.ts"

test("ids are UUIDv7 that carry the clock's time and never come twice", () => {
  const clock = { time: Date.UTC(2026, 0, 1), now: () => clock.time }
  const newId = uuidv7Source(clock)
  const ids: string[] = []
  for (let i = 0; i < 5_000; i++) {
    if (i % 100 === 0) clock.time += 1
    ids.push(newId())
    expect(uuidv7Time(ids.at(-1)!)).toBe(clock.time)
  }
  expect(ids.every(isUuidv7)).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
})

test("only the canonical spelling of a UUIDv7 is one", () => {
  const id = Bun.randomUUIDv7()
  expect(isUuidv7(id)).toBe(true)
  for (const other of [
    id.toUpperCase(),
    `${id}\n`,
    ` ${id}`,
    id.replaceAll("-", ""),
    crypto.randomUUID(),
    "",
  ]) {
    expect(isUuidv7(other)).toBe(false)
  }
})
