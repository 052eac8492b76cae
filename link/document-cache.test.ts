import { describe, expect, test } from "bun:test"
import { buildSchema } from "graphql"
import { createDocumentCache } from "./document-cache.ts"

const schema = buildSchema("type Query { id: ID! name(of: [Int]): String }")
const codes = ({ errors }: { errors?: readonly { extensions: Record<string, unknown> }[] }) =>
  errors?.map(({ extensions }) => extensions.code)

test("a text that is remembered gives the same document", () => {
  const documents = createDocumentCache(schema)
  const first = documents("{ id }")
  for (let i = 0; i < 100; i++) documents(`{ a${i}: id }`)
  expect(documents("{ id }")).toBe(first)
})

test("documents are forgotten by their weight", () => {
  const documents = createDocumentCache(schema, { maxBytes: 40_000, maxEntryBytes: 20_000 })
  const first = documents("{ id }")
  const heavy = (i: number) => `{ a${i}: id ${"id ".repeat(30)} }`
  for (let i = 0; i < 10; i++) documents(heavy(i))
  expect(documents("{ id }")).not.toBe(first)
  const tooHeavy = `{ ${"id ".repeat(100)} }`
  expect(documents(tooHeavy)).not.toBe(documents(tooHeavy))
})

test("what is remembered holds nothing of the text's comments", () => {
  const documents = createDocumentCache(schema)
  const { document } = documents(`{ id }${"#\n".repeat(50_000)}`) as { document: { loc?: unknown } }
  expect(document.loc).toBeUndefined()
  Bun.gc(true)
  const before = process.memoryUsage().heapUsed
  // Each came to 4 MB, for good.
  for (let i = 0; i < 50; i++) documents(`{ id }${"#\n".repeat(50_000)}#${i}`)
  Bun.gc(true)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(24 * 1024 * 1024)
})

test("texts that are too long or too deep are refused with a code", () => {
  const documents = createDocumentCache(schema)
  expect(codes(documents(`{ id }${" ".repeat(300_000)}`))).toEqual(["TOO_LARGE"])
  const deep = `{ name(of: ${"[".repeat(4_900)}${"]".repeat(4_900)}) }`
  expect(codes(documents(deep))?.[0]).toStartWith("GRAPHQL_")
  expect(codes(documents("{"))).toEqual(["GRAPHQL_PARSE_FAILED"])
  expect(codes(documents("{ nope }"))).toEqual(["GRAPHQL_VALIDATION_FAILED"])
})

describe("without other bounds", () => {
  /** A document of so many characters. */
  const padded = (name: string, length: number) => `{ ${name}: id }`.padEnd(length)

  test("an application's documents are remembered, the longest and a flood of them are not", () => {
    const documents = createDocumentCache(schema)
    const kept = padded("kept", 20_000)
    expect(documents(kept)).toBe(documents(kept))
    const tooLong = padded("long", 25_000)
    expect(documents(tooLong)).not.toBe(documents(tooLong))
    const first = documents("{ id }")
    // 2.6 MB each.
    for (let i = 0; i < 10; i++) documents(padded(`a${i}`, 20_000))
    expect(documents("{ id }")).not.toBe(first)
  })

  test("a text of too many tokens is refused before it is checked", () => {
    const documents = createDocumentCache(schema)
    const listing = (count: number) => documents(`{ name(of: [${"1 ".repeat(count)}]) }`)
    expect(listing(9_900).errors).toBeUndefined()
    expect(codes(listing(10_100))).toEqual(["GRAPHQL_PARSE_FAILED"])
  })
})
