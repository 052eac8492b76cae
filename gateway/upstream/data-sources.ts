import type { GraphQLDataSource } from "@apollo/gateway"
import type { Ask, Upstreamed, WireError } from "./ask.ts"
import { type Caller, NOBODY, type Pools } from "./caller.ts"
import { createEntityBatch } from "./entity-batch.ts"
import type { Pool } from "./pool.ts"
import type { Spent } from "./spent.ts"

/** What runs through one execution of a plan: `context` of `executeQueryPlan`. */
export interface Scope {
  caller: Caller
  /** `Set-Cookie` values that a subgraph handed back. */
  setCookies: string[]
  /** What it may fetch, and has fetched. */
  spent: Spent
}

export interface SubgraphResult {
  data?: Record<string, unknown> | null
  errors?: WireError[]
  extensions?: { setCookies?: string[] }
}

/**
 * Lets `executeQueryPlan` fetch over the links. Look-ups of entities of which no field depends on who asks are made on
 * no user's behalf and put together, whichever users they are for.
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
  const fetch = (ask: Ask, caller: Caller): Promise<string> => pool.request(ask, caller)
  const entities = createEntityBatch(async (ask) => JSON.parse(await fetch(ask, NOBODY)))

  return {
    async process({ request, context: { scope } }) {
      const { query, operationName, variables } = request as Ask
      // The planner's own text: it begins with what it is.
      const repeatable = !query.startsWith("mutation")
      const ask = { query, operationName, variables, repeatable }
      const representations = variables?.representations
      if (Array.isArray(representations)) scope.spent.lookUp(representations.length)
      if (representations && isForAnyone(query)) {
        return (await entities(ask, scope.spent)) as never
      }
      const payload = await fetch(ask, scope.caller)
      scope.spent.fetch(payload.length)
      const result: SubgraphResult = JSON.parse(payload)
      if (result.extensions?.setCookies) scope.setCookies.push(...result.extensions.setCookies)
      return result as never
    },
  }
}
