import { SERVICES } from "./system.ts"
import { type Base, mib, type Ran } from "./verdict.ts"

const COLUMNS = ["p50", "p99", "max", "late", "cuts", ...SERVICES] as const

/** The first line of the table. */
export const heading = (): string =>
  `\n  ${"".padEnd(46)} ${COLUMNS.map((name) => name.padStart(8)).join(" ")}\n`

const row = (label: string, { suffered, peak }: Pick<Ran, "suffered" | "peak">): string => {
  const { p50, p99, max, late, cuts } = suffered
  const cells = [
    ...[p50, p99, max].map((ms) => `${ms} ms`),
    `${(late / 1_000).toFixed(1)} s`,
    String(cuts),
    ...SERVICES.map((service) => mib(peak[service])),
  ]
  return `${label.padEnd(48)} ${cells.map((cell) => cell.padStart(8)).join(" ")}\n`
}

/** How it is for the bystanders, and how large the services are, while there is no attack. */
export const rest = ({ rest, idle }: Base): string =>
  row("  at rest", { suffered: rest, peak: idle })

/** A variant, what became of it, and what did not hold. */
export function line(ran: Ran, wrong: readonly string[]): string {
  const mark = wrong.length === 0 ? "✓" : "✗"
  const counts = Object.entries(ran.outcome.counts).map(([what, times]) => `${what} ${times}`)
  return [
    row(`${mark} ${ran.attack}: ${ran.variant}`, ran),
    `      ${counts.join(", ") || "nothing was answered"}\n`,
    ...wrong.map((what) => `      ✗ ${what}\n`),
  ].join("")
}
