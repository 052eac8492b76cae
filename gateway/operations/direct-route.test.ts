import { expect, test } from "bun:test"
import { composeServices } from "@apollo/composition"
import { buildSubgraphSchema } from "@apollo/subgraph"
import { silentLogger as log } from "@parley/platform/log.ts"
import { graphql, parse } from "graphql"
import { loadGraph } from "../supergraph/supergraph.ts"
import { NOBODY, type Pools } from "../upstream/caller.ts"
import { Spent } from "../upstream/spent.ts"
import { answer } from "./answer.ts"
import { createDocuments } from "./documents.ts"
import { createExecutor } from "./executor.ts"

// The direct route must answer as the query plan does, whatever the supergraph is. Each of these has something that
// Parley's own has not.

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@inaccessible", "@shareable", "@interfaceObject"]
)`

/** What a query comes to by its route and by its plan, in a supergraph of which subgraph `a` answers it with this data. */
async function ask(typeDefs: { a: string; b?: string }, query: string, data: object) {
  const services = Object.entries(typeDefs).map(([name, sdl]) => ({
    name,
    url: `http://${name}`,
    typeDefs: parse(LINK + sdl),
  }))
  const { supergraphSdl, errors } = composeServices(services)
  if (errors) throw new Error(errors.join("\n"))
  const graph = loadGraph(supergraphSdl)
  const schema = buildSubgraphSchema(services[0]!.typeDefs)
  const pool = {
    request: async ({ query }: { query: string }) =>
      JSON.stringify(await graphql({ schema, source: query, rootValue: data })),
  }
  const pools = new Map([
    ["a", pool],
    ["b", pool],
  ]) as unknown as Pools<never>
  const executor = createExecutor({ graph, pools, log })
  const checked = createDocuments(graph, { introspection: true }).check(query, undefined)
  if (checked.errors) throw checked.errors[0]
  const { operation } = checked
  const { kind, plan, context } = operation.route()
  const scope = { caller: NOBODY, setCookies: [], spent: new Spent() }
  const planned = await executor.runPlan({ plan, context, variables: {}, scope })
  const routed = await executor.run(operation, {}, NOBODY)
  return { kind, routed: JSON.parse(routed.json), planned: JSON.parse(answer(planned, log).json) }
}

test("a subgraph whose types are the API's is asked directly", async () => {
  const a = `
    enum Color { RED GREEN }
    interface Node { id: ID! }
    type User implements Node { id: ID! color: Color }
    type Query { node: Node }`
  const query = "{ node { ... on Node { id } ... on User { color __typename } } }"
  const data = { node: { __typename: "User", id: "1", color: "RED" } }
  const { kind, routed, planned } = await ask({ a }, query, data)
  expect(kind).toBe("direct")
  expect(routed).toEqual(planned)
  expect(routed).toEqual({ data: data as never })
})

test("an inaccessible value of an enum does not leave", async () => {
  const a = `
    enum Color { RED SECRET @inaccessible }
    type Query { color: Color }`
  const { routed, planned } = await ask({ a }, "{ color }", { color: "SECRET" })
  expect(JSON.stringify(routed)).not.toContain('"color":"SECRET"')
  expect(routed).toEqual(planned)
})

test("an inaccessible member of a union does not leave", async () => {
  const a = `
    type A { id: ID }
    type B @inaccessible { id: ID }
    union Both = A | B
    type Query { both: Both }`
  const data = { both: { __typename: "B", id: "1" } }
  const { routed, planned } = await ask({ a }, "{ both { __typename } }", data)
  expect(JSON.stringify(routed)).not.toContain('"B"')
  expect(routed).toEqual(planned)
})

test("an inaccessible type does not leave as an interface's", async () => {
  const a = `
    interface Node { id: ID! }
    type A implements Node { id: ID! }
    type B implements Node @inaccessible { id: ID! }
    type Query { node: Node }`
  const data = { node: { __typename: "B", id: "1" } }
  const { routed, planned } = await ask({ a }, "{ node { id __typename } }", data)
  expect(routed).toEqual(planned)
})

test("an interface that a type implements in another subgraph only selects its fields", async () => {
  const a = `
    interface Node { id: ID! }
    type User @key(fields: "id") { id: ID! @shareable }
    type Bot implements Node @key(fields: "id") { id: ID! }
    union Both = User | Bot
    type Query { both: Both }`
  const b = `
    interface Node { id: ID! }
    type User implements Node @key(fields: "id") { id: ID! @shareable }`
  const data = { both: { __typename: "User", id: "1" } }
  const { routed, planned } = await ask({ a, b }, "{ both { ... on Node { id } } }", data)
  expect(routed).toEqual(planned)
  expect(routed).toEqual({ data: { both: { id: "1" } } })
})

test("what the schema is, the API says and no subgraph", async () => {
  const a = "type Query { color: String }"
  const query = `{ color __type(name: "Query") { fields { name } } }`
  const { kind, routed } = await ask({ a }, query, { color: "RED" })
  expect(kind).toBe("plan")
  expect(routed.data.__type.fields).toEqual([{ name: "color" }])
})
