import { selectsMarked } from "@parley/link/marked-fields.ts"
import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import { type GraphQLSchema, parse } from "graphql"
import { VIEWER_CHECK_BYTES } from "../limits.ts"

/** Whether the planner's query for a subgraph selects no field that depends on who asks; looked at once for each text. */
export function createViewerCheck(schema: GraphQLSchema): (query: string) => boolean {
  const known = createWeighedCache<{ isForAnyone: boolean }>({
    maxBytes: VIEWER_CHECK_BYTES,
    maxEntryBytes: VIEWER_CHECK_BYTES / 16,
  })
  return (query) => {
    const cached = known.get(query)
    if (cached) return cached.isForAnyone
    const isForAnyone = !selectsMarked(
      schema,
      parse(query, { noLocation: true }),
      undefined,
      "viewer",
    )
    known.set(query, { isForAnyone }, 0)
    return isForAnyone
  }
}
