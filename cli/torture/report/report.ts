import { join } from "node:path"
import { readEvidence } from "../checker/evidence.ts"
import type { Verdict } from "../checker/verdict.ts"
import { seriesOf } from "./series.ts"
import { timeline } from "./timeline.ts"

export interface Run {
  engines: string
  seed: string
  minutes: number
  folder: string
}

/** Draws `timeline.svg` in the run's folder and answers the report for the terminal, by the checker's verdict. */
export async function report(run: Run, verdict: Verdict): Promise<string> {
  const evidence = await readEvidence(run.folder)
  const { counts, catchUps, properties } = verdict
  const title = `parley torture --engines ${run.engines} --seed ${run.seed} --minutes ${run.minutes}`
  const series = seriesOf(evidence)
  const picture = timeline({
    title: `${title} · ${count(counts.acknowledged)} acknowledged · ${counts.faults} faults`,
    series,
    faults: evidence.faults,
    catchUps: new Map(
      catchUps.flatMap(({ fault, took }) => (took === null ? [] : [[fault, took]])),
    ),
  })
  await Bun.write(join(run.folder, "timeline.svg"), picture)

  const lines = [
    "",
    title,
    "",
    `  acknowledged   ${count(counts.acknowledged)} messages (${Math.round(counts.acknowledged / series.seconds)}/s, faults included) in ${count(counts.attempts)} attempts`,
    `  delivered      ${count(counts.delivered)} events over ${count(counts.subscriptions)} subscriptions`,
    `  changed        ${count(counts.changes)} times who is a member; ${count(counts.marks)} marks moved`,
    `  faults         ${count(counts.faults)}`,
    "",
    ...recovered(catchUps),
    "",
    ...properties.flatMap(({ name, violations, examples }) => [
      `  ${violations === 0 ? "✓" : "✗"} ${name.padEnd(12)} ${violations === 0 ? "holds" : `${count(violations)} violations`}`,
      ...examples
        .slice(0, 3)
        .map(
          ({ what, lines }) =>
            `      ${what}${lines.some((line) => line > 0) ? ` (history.jsonl:${lines.filter((line) => line > 0).join(", ")})` : ""}`,
        ),
    ]),
    ...verdict.thin.map((thin) => `  ✗ too little happened: ${thin}`),
    ...(verdict.complete ? [] : ["  ✗ the run did not come to its end"]),
    "",
    `  all of it: ${run.folder}`,
    "",
  ]
  return `${lines.join("\n")}\n`
}

/** By kind of fault: how often, and how long it took until everyone had caught up. */
function recovered(catchUps: Verdict["catchUps"]): string[] {
  const rows = [...Map.groupBy(catchUps, ({ name }) => name)]
    .map(([name, all]) => {
      const took = all.map((one) => one.took ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
      return { name, times: took.length, median: took[took.length >> 1]!, most: took.at(-1)! }
    })
    .sort((a, b) => a.name.localeCompare(b.name))
  return [
    `  ${"caught up after the end of".padEnd(28)} times   median      most`,
    ...rows.map(
      ({ name, times, median, most }) =>
        `  ${name.padEnd(28)} ${String(times).padStart(5)} ${seconds(median).padStart(8)} ${seconds(most).padStart(9)}`,
    ),
  ]
}

const count = (value: number) => value.toLocaleString("en")

const seconds = (ms: number) => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : "never")
