import { buildSubgraphSchema } from "@apollo/subgraph"
import { type GraphQLSchema, parse } from "graphql"
import { resolvers } from "./resolvers.ts"
import typeDefs from "./schema.graphql" with { type: "text" }

/** The schema that auth serves, as a federation subgraph. */
export const createAuthSchema = (): GraphQLSchema =>
  buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers }])
