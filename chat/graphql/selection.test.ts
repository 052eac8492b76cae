import { expect, test } from "bun:test"
import { buildSchema, execute, type GraphQLResolveInfo, parse } from "graphql"
import { itemBytes } from "./selection.ts"

const schema = buildSchema(`
  type Query { items: [Item!]! }
  type Item { id: ID!, seq: Int!, at: String!, user: User!, items: [Item!]! }
  type User { id: ID! }
`)
const item = {
  ...{ id: "01975f3e-0000-7000-8000-000000000000", seq: 123_456, at: "2026-01-01T00:00:00.000Z" },
  ...{ user: { id: "01975f3e-0000-7000-8000-000000000001" }, items: [] },
}

/** What an item was taken to have, and what it has. */
function compare(query: string): { taken: number; real: number } {
  let taken = 0
  schema.getQueryType()!.getFields().items!.resolve = (_root, _args, _context, info) => {
    taken = itemBytes(info as GraphQLResolveInfo)
    return [item]
  }
  const { data } = execute({ schema, document: parse(query) }) as { data: { items: unknown[] } }
  return { taken, real: JSON.stringify(data.items[0]).length }
}

test.each([
  "{ items { id } }",
  "{ items { id seq at user { id } } }",
  "{ items { ...F user { ...U } ... on Item { seq a: seq b: seq } } } fragment F on Item { id at } fragment U on User { id x: id }",
])("an item is taken to have about what it has: %s", (query) => {
  const { taken, real } = compare(query)
  expect(taken).toBeGreaterThan(0.75 * real)
  expect(taken).toBeLessThan(1.6 * real)
})

test("fragments that spread the next one twice are weighed once each", () => {
  const fragments = Array.from(
    { length: 60 },
    (_, i) => `fragment F${i} on Item { ...F${i + 1} ...F${i + 1} }`,
  )
  const query = `{ items { ...F0 } } ${fragments.join(" ")} fragment F60 on Item { id }`
  let taken = 0
  const { definitions } = parse(query)
  const [operation, ...rest] = definitions as never as [
    { selectionSet: { selections: GraphQLResolveInfo["fieldNodes"] } },
    ...GraphQLResolveInfo["fragments"][string][],
  ]
  taken = itemBytes({
    fieldNodes: operation.selectionSet.selections,
    fragments: Object.fromEntries(rest.map((one) => [one.name.value, one])),
  } as unknown as GraphQLResolveInfo)
  expect(taken).toBeGreaterThan(1e9)
})
