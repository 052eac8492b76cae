import { LruMap } from "@parley/service/lru.ts"
import { selectsMarked } from "@parley/service/marked-fields.ts"
import { type GraphQLSchema, parse } from "graphql"

/** As many as there are plans with a fetch of their own. */
const MAX_QUERIES = 2_000

/** Whether the planner's query for a subgraph selects no field that depends on who asks; looked at once for each text. */
export function createViewerCheck(schema: GraphQLSchema): (query: string) => boolean {
  const known = new LruMap<string, boolean>(MAX_QUERIES)
  return (query) => {
    const cached = known.get(query)
    if (cached !== undefined) return cached
    const isForAnyone = !selectsMarked(schema, parse(query), undefined, "viewer")
    known.set(query, isForAnyone)
    return isForAnyone
  }
}
