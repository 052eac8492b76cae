import { buildSubgraphSchema } from "@apollo/subgraph"
import { type GraphQLSchema, parse } from "graphql"
import type { InFlight } from "./in-flight.ts"
import type { Operation } from "./operation.ts"
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
        Mutation: inFlight.track(inTurns(resolvers.Mutation)),
      },
    },
  ])

type Resolve = (parent: unknown, args: never, operation: Operation) => Promise<unknown>

/** The same mutations, each of which waits for its person's turn before it begins: a flood waits behind itself. */
function inTurns<Fields extends Record<string, Resolve>>(fields: Fields): Fields {
  const waiting =
    (resolve: Resolve): Resolve =>
    async (parent, args, operation) => {
      const turn = operation.work.turn()
      if (turn) await turn
      return resolve(parent, args, operation)
    }
  return Object.fromEntries(
    Object.entries(fields).map(([name, resolve]) => [name, waiting(resolve)]),
  ) as Fields
}
