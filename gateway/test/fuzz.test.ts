import { expect, test } from "bun:test"
import { loadGraph } from "../supergraph/supergraph.ts"
import sdl from "../supergraph.graphql" with { type: "text" }
import { fuzzDocuments } from "./fuzz.ts"

const COUNT = 1_000

test("no hostile document takes 20 ms before it is refused or planned", () => {
  const seed = Math.floor(Math.random() * 1e9)
  const { ready, refused, slowest } = fuzzDocuments(loadGraph(sdl), {
    count: COUNT,
    seed,
    slowMs: 20,
  })
  // Again: bun gateway/test/fuzz.ts 1 <seed>
  expect(slowest.map(({ seed, ms, outcome }) => ({ seed, ms, outcome }))).toEqual([])
  // Documents that are all refused at once would say nothing of validation.
  expect(ready).toBeGreaterThan(COUNT / 50)
  expect(refused).toBeGreaterThan(COUNT / 4)
}, 120_000)
