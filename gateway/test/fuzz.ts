import { type Checked, createDocuments } from "../operations/documents.ts"
import type { NewDocuments } from "../operations/new-documents.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import { FuzzDocument, randomFrom } from "./fuzz-document.ts"

/** A document that took long before it was refused or ready to be planned, and what came of it. */
export interface Slow {
  seed: number
  ms: number
  outcome: string
  text: string
}

export interface FuzzResult {
  /** How many documents were ready to be planned, and how many were refused. */
  ready: number
  refused: number
  slowest: Slow[]
  /** The longest time that the planner took for one that was ready, in ms. */
  planning: Slow | undefined
}

const AGAIN = 5

/** Checks a document by a gateway that has seen nothing yet, so that each time is a first one. */
function check(graph: Graph, text: string): { checked: Checked; ms: number } {
  const newDocuments: NewDocuments = { work: (_payer, work) => work() }
  const documents = createDocuments(graph, { introspection: true }, newDocuments)
  const beganAt = performance.now()
  const checked = documents.check(text, undefined)
  return { checked, ms: performance.now() - beganAt }
}

/**
 * Times everything that comes before a document's planning, in ms. What is slow is timed again five times, and the shortest
 * counts, or the CPU time of the five: the machine may be busy with something else.
 */
export function timeCheck(
  graph: Graph,
  text: string,
  slowMs: number,
): { checked: Checked; ms: number } {
  let { checked, ms } = check(graph, text)
  if (ms > slowMs) {
    const before = process.cpuUsage()
    for (let again = 0; again < AGAIN; again++) ms = Math.min(ms, check(graph, text).ms)
    const { user, system } = process.cpuUsage(before)
    ms = Math.min(ms, (user + system) / 1_000 / AGAIN)
  }
  return { checked, ms }
}

/** Puts so many hostile documents through everything that comes before planning, and times each. */
export function fuzzDocuments(
  graph: Graph,
  options: { count: number; seed: number; slowMs: number; plan?: boolean },
): FuzzResult {
  const result: FuzzResult = { ready: 0, refused: 0, slowest: [], planning: undefined }
  for (let i = 0; i < options.count; i++) {
    const seed = options.seed + i
    const text = new FuzzDocument(graph.api, randomFrom(seed)).text()
    const { checked, ms } = timeCheck(graph, text, options.slowMs)
    const outcome = checked.errors?.[0]?.message ?? "ready"
    if (checked.errors) result.refused++
    else result.ready++
    if (ms > options.slowMs) result.slowest.push({ seed, ms, outcome, text })
    if (options.plan && !checked.errors && !checked.operation.roots.introspectionOnly) {
      const beganAt = performance.now()
      try {
        checked.operation.route()
      } catch {}
      const took = performance.now() - beganAt
      if (took > (result.planning?.ms ?? 0)) result.planning = { seed, ms: took, outcome, text }
    }
  }
  result.slowest.sort((a, b) => b.ms - a.ms)
  return result
}

// bun gateway/test/fuzz.ts 100000 1
if (import.meta.main) {
  const { loadGraph } = await import("../supergraph/supergraph.ts")
  const sdl = await Bun.file(`${import.meta.dir}/../supergraph.graphql`).text()
  const [count = 100_000, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number)
  console.log(`${count} documents from seed ${seed}`)
  const beganAt = performance.now()
  const result = fuzzDocuments(loadGraph(sdl), { count, seed, slowMs: 20, plan: count <= 10_000 })
  console.log(
    `${result.ready} ready, ${result.refused} refused in ${Math.round(performance.now() - beganAt)} ms`,
  )
  for (const { seed, ms, outcome, text } of result.slowest.slice(0, 10)) {
    console.log(
      `seed ${seed}: ${ms.toFixed(1)} ms, ${text.length} characters: ${outcome.slice(0, 100)}`,
    )
  }
  const { planning } = result
  if (planning) console.log(`longest to plan: seed ${planning.seed}, ${planning.ms.toFixed(1)} ms`)
  process.exitCode = result.slowest.length > 0 ? 1 : 0
}
