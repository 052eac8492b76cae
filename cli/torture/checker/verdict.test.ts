import { expect, test } from "bun:test"
import type { Line, RunLine } from "../history/format.ts"
import { gather } from "./evidence.ts"
import { simulate } from "./test/simulation.ts"
import { isClean, isCleanBesidesTime, judge } from "./verdict.ts"

const run = (minutes: number, faults: string[]): RunLine => ({
  ...{ k: "run", t: 0, seed: "1", engines: "embedded", started: "", minutes, faults },
})

const judged = (change: (lines: Line[]) => Line[]) => {
  const { lines, store } = simulate("1")
  return judge(gather(change(lines), store))
}

test("a history without a fault is clean", () => {
  const verdict = judged((lines) => lines)
  expect(verdict.thin).toEqual([])
  expect(isClean(verdict)).toBe(true)
  expect(isCleanBesidesTime(verdict)).toBe(true)
})

test("a history in which nothing happened is not clean, though nothing in it is wrong", () => {
  const quiet: Line = { k: "quiet", t: 1 }
  for (const lines of [[quiet], [run(1, []), quiet]]) {
    const verdict = judge(gather(lines))
    expect(verdict.properties.every(({ violations }) => violations === 0)).toBe(true)
    expect(verdict.thin).toHaveLength(2)
    expect(isClean(verdict)).toBe(false)
    expect(isCleanBesidesTime(verdict)).toBe(false)
  }
})

test("a run of some minutes has to have that many messages, faults and reloads", () => {
  const said = judged((lines) => [run(10, ["kill chat", "disk full"]), ...lines]).thin
  expect(said.map((text) => text.split(":")[0])).toEqual([
    "messages acknowledged",
    "subscriptions that resumed",
    "conversations loaded anew",
    "faults",
    "faults of the kind «disk full»",
  ])
})

test("readers that hang up when the run is over had caught up, however soon after the last fault that is", () => {
  const verdict = judged((lines) => {
    const { t } = lines.findLast(({ k }) => k === "healed") as { t: number }
    const asked = t + 100
    const early = lines.map((line): Line => (line.k === "asked" ? { ...line, t: asked } : line))
    const open = lines.flatMap((line) => (line.k === "open" ? [line.sub] : []))
    const closed = new Set(lines.flatMap((line) => (line.k === "close" ? [line.sub] : [])))
    const left = open.filter((sub) => !closed.has(sub))
    return [...early, ...left.map((sub): Line => ({ k: "close", t: asked, sub, why: "over" }))]
  })
  expect(verdict.catchUps.every(({ took }) => took !== null)).toBe(true)
})

test("a reader that never catches up is found on a busy machine, too; one that is late is not", () => {
  const isAfter = (lines: Line[], index: number) =>
    index > lines.findIndex(({ k }) => k === "healed")
  const late = judged((lines) =>
    lines.map((line, index) =>
      isAfter(lines, index) && "t" in line ? { ...line, t: line.t + 20_000 } : line,
    ),
  )
  expect(isClean(late)).toBe(false)
  expect(isCleanBesidesTime(late)).toBe(true)
  const never = judged((lines) =>
    lines.map((line): Line => (line.k === "send" ? { ...line, answer: { lost: "gone" } } : line)),
  )
  expect(never.catchUps.map(({ took }) => took)).toEqual([null, null])
  const others = never.properties.filter(({ name }) => name === "recovery")
  expect(isCleanBesidesTime({ ...never, thin: [], properties: others })).toBe(false)
})
