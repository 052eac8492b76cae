import type { Summary } from "./stats.ts"

/** One line of a scenario's table. */
export interface Figure extends Summary {
  name: string
  unit: string
  /** What is to be reached, where something is. */
  target?: Target
  met?: boolean
}

export interface Target {
  is: "at most" | "at least"
  value: number
}

/** What a scenario came to. */
export interface Report {
  scenario: string
  /** What was measured, in a sentence or two. */
  about: string
  figures: Figure[]
}

export interface FigureOptions {
  name: string
  unit: string
  value: Summary | number
  atMost?: number
  atLeast?: number
  /** False where the target does not apply to this machine or this run. */
  applies?: boolean
}

/** A figure, compared with what is to be reached by its median. */
export function figure({ name, unit, value, atMost, atLeast, applies }: FigureOptions): Figure {
  const spread = typeof value === "number" ? { median: value, min: value, max: value } : value
  const target: Target | undefined =
    atMost !== undefined
      ? { is: "at most", value: atMost }
      : atLeast !== undefined
        ? { is: "at least", value: atLeast }
        : undefined
  if (!target) return { name, unit, ...spread }
  if (applies === false) return { name, unit, ...spread, target }
  const met =
    target.is === "at most" ? spread.median <= target.value : spread.median >= target.value
  return { name, unit, ...spread, target, met }
}

/** The report as a table for people. */
export function table({ scenario, about, figures }: Report): string {
  const rows = figures.map(({ name, unit, median, min, max, target, met }) => [
    name,
    number(median),
    min === max ? "" : `${number(min)} – ${number(max)}`,
    unit,
    target ? `${target.is === "at most" ? "≤" : "≥"} ${number(target.value)}` : "",
    met === undefined ? "" : met ? "met" : "MISSED",
  ])
  const head = ["", "median", "min – max", "unit", "to reach", ""]
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => (i === 1 || i === 2 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd()
  return [`\n${scenario}: ${about}\n`, line(head), ...rows.map(line), ""].join("\n")
}

/** Three digits that count; thousands set apart. */
export function number(value: number): string {
  if (value === 0) return "0"
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}
