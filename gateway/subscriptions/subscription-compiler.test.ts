import { expect, test } from "bun:test"
import { silentLogger as log } from "@parley/platform/log.ts"
import { MAX_EVENT_VARIABLES, MAX_VARIANT_CHARACTERS, MAX_VARIANTS } from "../limits.ts"
import { createDocuments } from "../operations/documents.ts"
import { loadGraph } from "../supergraph/supergraph.ts"
import supergraphSdl from "../supergraph.graphql" with { type: "text" }
import { createSubscriptionCompiler } from "./subscription-compiler.ts"

const graph = loadGraph(supergraphSdl)
const documents = createDocuments(graph, { introspection: true })

function subscription() {
  const query = `subscription ($after: [PositionInput!], $n: String) {
    events(after: $after) {
      ... on MessageSent { seq conversation { messages(first: 1, after: $n) { edges { cursor } } } }
    }
  }`
  const checked = documents.check(query, undefined)
  if (checked.errors) throw checked.errors[0]
  const compiler = createSubscriptionCompiler({ graph, executor: {} as never, log })
  return (variables: object) => compiler.of(checked.operation, { ...variables })
}

test("those who subscribed alike share a compiled, wherever they begin", () => {
  const of = subscription()
  expect(of({ n: "1", after: [] })).toBe(of({ n: "1", after: [{ conversation: "c", seq: 1 }] }))
  expect(of({ n: "1" })).not.toBe(of({ n: "2" }))
})

test("variants are shared up to a number, and up to the characters of their variables", () => {
  const many = subscription()
  for (let i = 0; i < MAX_VARIANTS; i++) expect(many({ n: `${i}` })).toBe(many({ n: `${i}` }))
  expect(many({ n: "one more" })).not.toBe(many({ n: "one more" }))
  expect(many({ n: "0" })).toBe(many({ n: "0" }))
  const long = subscription()
  const n = (i: number) => ({ n: `${i}`.padEnd(MAX_EVENT_VARIABLES / 2, "x") })
  for (let i = 0; i < MAX_VARIANT_CHARACTERS; i += MAX_EVENT_VARIABLES) long(n(i))
  expect(long(n(0))).toBe(long(n(0)))
  for (let i = 1; i < MAX_VARIANT_CHARACTERS / 1_000; i++) long(n(i))
  expect(long(n(-1))).not.toBe(long(n(-1)))
})

test("variables that live as long as their subscription are few", () => {
  const of = subscription()
  expect(() => of({ n: "x".repeat(MAX_EVENT_VARIABLES) })).toThrow("have at most")
  // Where to begin is said once, and not kept.
  const after = Array.from({ length: 1_000 }, (_, seq) => ({ conversation: "c", seq }))
  expect(() => of({ n: "1", after })).not.toThrow()
})
