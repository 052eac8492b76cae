import { operationFromDocument, Supergraph } from "@apollo/federation-internals"
import { type QueryPlan, QueryPlanner } from "@apollo/query-planner"
import type { DocumentNode, GraphQLSchema } from "graphql"
import { sameTypes } from "./same-types.ts"

/** The composed schema, in the shapes in which its parts are asked for. */
export interface Graph {
  /** What clients see: no federation machinery, no directives of ours. */
  api: GraphQLSchema
  /** The same in the planner's own model: what `executeQueryPlan` wants. */
  apiModel: ReturnType<Supergraph["apiSchema"]>
  /** With `@public`, `@cookies` and `@viewer` on its fields. */
  marked: GraphQLSchema
  /** By name. */
  subgraphs: ReadonlyMap<string, Subgraph>
  /**
   * Plans the only operation of a document.
   * @throws GraphQLError where it cannot be planned.
   */
  plan(document: DocumentNode): QueryPlan
}

export interface Subgraph {
  schema: GraphQLSchema
  /** The types of the API of which this subgraph says the same. */
  same: ReadonlySet<string>
}

/** Builds everything that depends on the supergraph alone: some 80 ms, once, at start. */
export function loadGraph(sdl: string): Graph {
  const supergraph = Supergraph.build(sdl)
  const planner = new QueryPlanner(supergraph)
  const apiModel = supergraph.apiSchema()
  const api = apiModel.toGraphQLJSSchema()
  const subgraphs = new Map<string, Subgraph>()
  for (const subgraph of supergraph.subgraphs().values()) {
    const schema = subgraph.schema.toGraphQLJSSchema()
    subgraphs.set(subgraph.name, { schema, same: sameTypes(api, schema) })
  }
  return {
    api,
    apiModel,
    marked: supergraph.schema.toGraphQLJSSchema(),
    subgraphs,
    plan: (document) => planner.buildQueryPlan(operationFromDocument(apiModel, document)),
  }
}
