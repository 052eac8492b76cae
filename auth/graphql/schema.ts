import { buildSubgraphSchema } from "@apollo/subgraph"
import { type GraphQLSchema, parse } from "graphql"
import type { InFlight } from "./in-flight.ts"
import { resolvers } from "./resolvers.ts"
import typeDefs from "./schema.graphql" with { type: "text" }

/** The schema that auth serves, as a federation subgraph; its root fields are counted in `inFlight`. */
export const createAuthSchema = (inFlight: InFlight): GraphQLSchema =>
  buildSubgraphSchema([
    {
      typeDefs: parse(typeDefs),
      resolvers: {
        ...resolvers,
        Query: inFlight.track(resolvers.Query),
        Mutation: inFlight.track(resolvers.Mutation),
      },
    },
  ])
