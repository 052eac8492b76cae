import { existsSync, readFileSync } from "node:fs"
import { inRoot, ROOT } from "../platform/machine/root.ts"
import { walk } from "../platform/machine/walk.ts"

/** A number of the code that bounds something. */
export interface Bound {
  name: string
  /** Relative to the clone. */
  file: string
  /** Undefined where the code computes it. */
  value: number | undefined
}

/** A row of docs/limits.md: `| \`NAME\` (file) | number | why | test | costs at most |`. */
export interface Row {
  name: string
  /** As the row has it; empty where it names none. */
  file: string
  /** What the number's cell may mean. */
  numbers: number[]
  /** Cells without a text. */
  empty: number
}

/** What has bounds of its own: its code runs where clients reach it. */
export const PRODUCT = ["auth", "chat", "gateway", "link", "platform", "web"] as const

const UNITS: Record<string, number> = {
  Ki: 1024,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  ms: 1,
  s: 1_000,
  min: 60_000,
  minutes: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  day: 86_400_000,
  days: 86_400_000,
  million: 1_000_000,
}

const SHARES: Record<string, number> = { half: 0.5, quarter: 0.25, tenth: 0.1 }

/** `10,000` and `256 KiB`; `2^31 − 1` as well. A number with a unit of time counts in s, too. */
export function numbersIn(cell: string): number[] {
  const found: number[] = []
  for (const [, digits = "", unit = ""] of cell.matchAll(/(\d[\d,_]*(?:\.\d+)?)\s*([A-Za-z]+)?/g)) {
    const number = Number(digits.replaceAll(/[,_]/g, ""))
    const times = UNITS[unit] ?? 1
    found.push(number, number * times)
    if (times >= 1_000) found.push((number * times) / 1_000)
  }
  for (const [, base, power] of cell.matchAll(/(\d+)\s*(?:\^|\*\*)\s*(\d+)/g)) {
    found.push(Number(base) ** Number(power), Number(base) ** Number(power) - 1)
  }
  for (const [word, share] of Object.entries(SHARES)) if (cell.includes(word)) found.push(share)
  return found
}

/** Every row that names a bound. */
export function readRows(page: string): Row[] {
  return page.split("\n").flatMap((line) => {
    const [, first = "", number = "", ...others] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
    const names = [...first.matchAll(/`([A-Za-z_][\w.]*)`/g)].map(([, name]) => name!)
    const file = /\(([^()`]*)\)/.exec(first)?.[1] ?? /`([\w/.-]+\.tsx?)`/.exec(first)?.[1] ?? ""
    const empty = [number, ...others.slice(0, 3)].filter((cell) => cell === "").length
    return names.map((name) => ({ name, file, numbers: numbersIn(number), empty }))
  })
}

/** The numbers that a package's `limits.ts` exports, those in flat objects as `OBJECT.name`. */
export async function exportedBounds(folder: string): Promise<Bound[]> {
  const file = `${folder}/limits.ts`
  if (!existsSync(inRoot(file))) return []
  const exported = (await import(inRoot(file))) as Record<string, unknown>
  return Object.entries(exported).flatMap(([name, value]): Bound[] => {
    if (typeof value === "number") return [{ name, file, value }]
    if (typeof value !== "object" || value === null) return []
    return Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "number" ? [{ name: `${name}.${key}`, file, value: inner }] : [],
    )
  })
}

const DECLARED =
  /^(?:export )?const ((?:MAX|MIN)_[A-Z0-9_]+|[A-Z0-9_]+_(?:BYTES|LIMIT|AT_ONCE))(?:: \w+)? = (.+)$/gm
const NO_PRODUCT = /^(node_modules|\.next|test)$/

/** Constants that look like bounds, in the product's code outside `limits.ts`. */
export function scatteredBounds(): Bound[] {
  return PRODUCT.flatMap((folder) =>
    [...walk(ROOT, folder, NO_PRODUCT)]
      .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$|\/limits\.ts$|\/test\//.test(file))
      .flatMap((file) =>
        [...readFileSync(inRoot(file), "utf8").matchAll(DECLARED)]
          .map(([, name = "", text = ""]): Bound => ({ name, file, value: computed(text) }))
          // What is no number is made of bounds that are found elsewhere.
          .filter(({ value }) => value !== undefined),
      ),
  )
}

/** Of `256 * 1024` and `2 ** 31 - 1`, say; undefined where there is more to it. */
function computed(text: string): number | undefined {
  if (!/^[\d_\s*-]+$/.test(text)) return undefined
  const [first = 0, ...less] = text.split(" - ").map((term) =>
    term
      .split(" * ")
      .map((factor) => {
        const [base = 0, power = 1] = factor.split(" ** ").map(numeral)
        return base ** power
      })
      .reduce((product, factor) => product * factor, 1),
  )
  return less.reduce((rest, term) => rest - term, first)
}

const numeral = (text: string) => Number(text.replaceAll("_", ""))

/** The rows about a bound, or about the object that it is in, and about its file where the row names one. */
export function rowsOf({ name, file }: Bound, rows: readonly Row[]): Row[] {
  const [object, short = object] = name.split(".")
  return rows.filter(
    (row) =>
      (row.name === name || row.name === short || row.name === object) &&
      (row.file === "" || file.endsWith(row.file) || file.startsWith(`${row.file}/`)),
  )
}
