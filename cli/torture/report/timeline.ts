import type { FaultSpan } from "../checker/evidence.ts"
import type { Series } from "./series.ts"

export interface TimelineOptions {
  title: string
  series: Series
  faults: readonly FaultSpan[]
  /** By fault: in ms after its end; what is not in here was never caught up with. */
  catchUps: ReadonlyMap<number, number>
}

const WIDTH = 1200
const LEFT = 150
const RIGHT = 24
const ROW = 18
const PANEL = 110
const GAP = 38

/** What kind of thing a fault is: decides its colour. */
const CLASSES: [RegExp, string][] = [
  [/kill|SIGTERM|down|restarted/, "ends"],
  [/freeze|frozen/, "frozen"],
  [/^TCP/, "wire"],
  [/^clock/, "clock"],
  [/./, "other"],
]

const STYLE = `
  svg { --ink: #1f2328; --quiet: #656d76; --line: #d8dee4; --paper: #ffffff;
    --acks: #2563eb; --lag: #b45309; --well: #15803d; --late: #b91c1c;
    --ends: #dc2626; --frozen: #7c3aed; --wire: #0e7490; --clock: #a16207; --other: #4d7c0f;
    background: var(--paper); font: 12px system-ui, sans-serif }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --quiet: #8d96a0; --line: #30363d; --paper: #0d1117;
      --acks: #60a5fa; --lag: #fbbf24; --well: #4ade80; --late: #f87171;
      --ends: #f87171; --frozen: #a78bfa; --wire: #22d3ee; --clock: #facc15; --other: #a3e635 }
  }
  text { fill: var(--ink) } .quiet { fill: var(--quiet) } .end { text-anchor: end }
  .middle { text-anchor: middle } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: var(--line); stroke-width: 1; fill: none }
  .acks { fill: var(--acks); fill-opacity: .3; stroke: var(--acks); stroke-width: 1.2 }
  .lag { fill: none; stroke: var(--lag); stroke-width: 1.4 }
  .ends { fill: var(--ends) } .frozen { fill: var(--frozen) } .wire { fill: var(--wire) }
  .clock { fill: var(--clock) } .other { fill: var(--other) } .pair { fill-opacity: .55 }
  .up { stroke: var(--well); stroke-width: 1.5 } .up.late { stroke: var(--late) }
  circle { fill: var(--well) } circle.late { fill: var(--late) }`

/** A run as a picture: faults as bars with what it took to recover behind them, messages a second, and how late they came. */
export function timeline({ title, series, faults, catchUps }: TimelineOptions): string {
  const names = [...new Set(faults.map(({ name }) => name))].sort()
  const lanes = 64
  const acks = lanes + names.length * ROW + GAP
  const lag = acks + PANEL + GAP
  const height = lag + PANEL + 44
  const x = (ms: number) =>
    LEFT + (ms / 1000 / Math.max(1, series.seconds)) * (WIDTH - LEFT - RIGHT)

  const parts = [
    `<text class="title" x="16" y="24">${escaped(title)}</text>`,
    `<text class="quiet" x="16" y="44">bars: faults (paler: two together) · line and dot behind a bar: until everyone had caught up</text>`,
    ...ticks(series.seconds).map((second) => {
      const at = x(second * 1000).toFixed(1)
      return `<path class="grid" d="M${at} ${lanes - 6}V${lag + PANEL}"/><text class="quiet middle" x="${at}" y="${lag + PANEL + 18}">${clock(second)}</text>`
    }),
    ...names.map(
      (name, row) =>
        `<text class="end" x="${LEFT - 12}" y="${lanes + row * ROW + 10}">${escaped(name)}</text>`,
    ),
    ...faults.map((fault) => bar(fault, lanes + names.indexOf(fault.name) * ROW, x, catchUps)),
    panel("acknowledged/s", series.acknowledged, acks, "acks", x, true),
    panel("slowest delivery, ms", series.lag, lag, "lag", x, false),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}
</style>
${parts.join("\n")}
</svg>
`
}

function bar(
  fault: FaultSpan,
  y: number,
  x: (ms: number) => number,
  catchUps: ReadonlyMap<number, number>,
): string {
  const { t, healed = t, name, target, alone } = fault
  const colour = CLASSES.find(([pattern]) => pattern.test(name))![1]
  const width = Math.max(3, x(healed) - x(t))
  const took = catchUps.get(fault.fault)
  const said = `${name} (${target}), ${((healed - t) / 1000).toFixed(1)} s`
  const shape = `<rect class="${colour}${alone ? "" : " pair"}" x="${x(t).toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="12" rx="2"><title>${escaped(said)}</title></rect>`
  if (took === undefined) return shape
  const late = took > 10_000 ? " late" : ""
  const end = x(healed + took).toFixed(1)
  return `${shape}<path class="up${late}" d="M${x(healed).toFixed(1)} ${y + 6}H${end}"/><circle class="${late.trim()}" cx="${end}" cy="${y + 6}" r="2.5"><title>caught up after ${(took / 1000).toFixed(1)} s</title></circle>`
}

function panel(
  label: string,
  values: readonly number[],
  top: number,
  style: string,
  x: (ms: number) => number,
  filled: boolean,
): string {
  const most = roundUp(values.reduce((a, b) => Math.max(a, b), 1))
  const bottom = top + PANEL
  const y = (value: number) => (bottom - (value / most) * PANEL).toFixed(1)
  const points = values.map((value, second) => `${x(second * 1000).toFixed(1)} ${y(value)}`)
  const line = `M${points.join("L")}`
  const area = filled ? `${line}V${bottom}H${LEFT}Z` : line
  return `<path class="grid" d="M${LEFT} ${top}H${WIDTH - RIGHT}M${LEFT} ${bottom}H${WIDTH - RIGHT}"/>
<text x="${LEFT}" y="${top - 6}">${label}</text><text class="quiet end" x="${LEFT - 12}" y="${top + 10}">${most.toLocaleString("en")}</text><text class="quiet end" x="${LEFT - 12}" y="${bottom}">0</text>
<path class="${style}" d="${area}"/>`
}

function ticks(seconds: number): number[] {
  const step = [5, 10, 30, 60, 120, 300, 600].find((step) => seconds / step <= 14) ?? 1_800
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step)
}

function roundUp(value: number): number {
  const size = 10 ** Math.floor(Math.log10(value))
  return Math.ceil(value / size) * size
}

const clock = (second: number) =>
  `${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}`

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")
