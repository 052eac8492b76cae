import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { inRoot } from "../platform/machine/root.ts"
import {
  type Bound,
  exportedBounds,
  numbersIn,
  PRODUCT,
  readRows,
  rowsOf,
  scatteredBounds,
} from "./bounds.ts"

const rows = readRows(readFileSync(inRoot("docs/limits.md"), "utf8"))

/** Names that look like those of bounds, with what they are instead. */
const NO_BOUNDS: Record<string, string> = {
  "auth/store/mongo/keys.ts TAG_BYTES": "the length of AES-GCM's tag",
}

const missing = (bounds: readonly Bound[]) =>
  bounds.flatMap((bound) => {
    const { name, file, value } = bound
    if (`${file} ${name}` in NO_BOUNDS) return []
    const found = rowsOf(bound, rows)
    if (found.length === 0) return [`${file}: ${name} (${value}) has no row`]
    if (value === undefined || found.some(({ numbers }) => numbers.includes(value))) return []
    return [`${file}: ${name} is ${value}, and its row says ${found[0]!.numbers.join(" or ")}`]
  })

test("every bound of a limits.ts has a row with its number in docs/limits.md", async () => {
  const bounds = (await Promise.all(PRODUCT.map(exportedBounds))).flat()
  expect(missing(bounds)).toEqual([])
})

test("every bound elsewhere in the product's code has one, too", () => {
  const bounds = scatteredBounds()
  expect(missing(bounds)).toEqual([])
})

test("every row says why, by which test, and what it costs", () => {
  expect(rows.filter(({ empty }) => empty > 0).map(({ name }) => name)).toEqual([])
})

test("every row is about a bound that there is", async () => {
  const bounds = [...(await Promise.all(PRODUCT.map(exportedBounds))).flat(), ...scatteredBounds()]
  const known = new Set(bounds.flatMap(({ name }) => [name, ...name.split(".")]))
  expect(rows.filter(({ name }) => !known.has(name) && /^[A-Z_]+$/.test(name))).toEqual([])
})

test("a number is understood as people write it", () => {
  expect(numbersIn("10,000")).toContain(10_000)
  expect(numbersIn("256 KiB")).toContain(262_144)
  expect(numbersIn("2.5 MiB")).toContain(2_621_440)
  expect(numbersIn("15 min")).toContain(900_000)
  expect(numbersIn("2^31 − 1")).toContain(2 ** 31 - 1)
  expect(numbersIn("as many as there are")).toEqual([])
})

test("a bound without a row, and one whose row has another number, are found", () => {
  const bound = { name: "MAX_THINGS", file: "chat/limits.ts", value: 5 }
  expect(rowsOf(bound, readRows("| `MAX_THINGS` (gateway/limits.ts) | 5 | a | b | c |"))).toEqual(
    [],
  )
  const [row] = rowsOf(bound, readRows("| `MAX_THINGS` (chat/limits.ts) | 6 | a | b | c |"))
  expect(row?.numbers).toEqual([6, 6])
  const inObject = { name: "LIMITS.things", file: "chat/limits.ts", value: 5 }
  expect(rowsOf(inObject, readRows("| `things` (chat/limits.ts) | 5 | a | | c |"))[0]?.empty).toBe(
    1,
  )
  expect(scatteredBounds().length).toBeGreaterThan(10)
})
