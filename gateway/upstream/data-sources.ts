import type { GraphQLDataSource } from "@apollo/gateway"
import { type Caller, NOBODY, type Pools } from "./caller.ts"
import { createEntityBatch } from "./entity-batch.ts"
import type { Ask, Upstreamed, WireError } from "./link.ts"
import type { Pool } from "./pool.ts"

/** What runs through one execution of a plan: `context` of `executeQueryPlan`. */
export interface Scope {
  caller: Caller
  /** `Set-Cookie` values that a subgraph handed back. */
  setCookies: string[]
}

export interface SubgraphResult {
  data?: Record<string, unknown> | null
  errors?: WireError[]
  extensions?: { setCookies?: string[] }
}

/**
 * Lets `executeQueryPlan` fetch over the links. Look-ups of entities of which no field depends on who asks are made on
 * nobody's behalf and put together, whoever they are for.
 */
export function createDataSources<S extends Upstreamed>(
  pools: Pools<S>,
  isForAnyone: (query: string) => boolean,
): Record<string, GraphQLDataSource<{ scope: Scope }>> {
  return Object.fromEntries(
    [...pools].map(([name, pool]) => [name, createDataSource(pool, isForAnyone)]),
  )
}

function createDataSource<S extends Upstreamed>(
  pool: Pool<S>,
  isForAnyone: (query: string) => boolean,
): GraphQLDataSource<{ scope: Scope }> {
  const fetch = async (ask: Ask, caller: Caller): Promise<SubgraphResult> =>
    JSON.parse(await pool.request(ask, caller))
  const entities = createEntityBatch((ask) => fetch(ask, NOBODY))

  return {
    async process({ request, context: { scope } }) {
      const { query, operationName, variables } = request as Ask
      // The planner's own text: it begins with what it is.
      const repeatable = !query.startsWith("mutation")
      const ask = { query, operationName, variables, repeatable }
      if (variables?.representations && isForAnyone(query)) {
        return (await entities(ask)) as never
      }
      const result = await fetch(ask, scope.caller)
      if (result.extensions?.setCookies) scope.setCookies.push(...result.extensions.setCookies)
      return result as never
    },
  }
}
