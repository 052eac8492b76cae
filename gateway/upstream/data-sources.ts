import type { GraphQLDataSource } from "@apollo/gateway"
import { createEntityBatch } from "./entity-batch.ts"
import type { Ask, Link, Upstreamed, WireError } from "./link.ts"
import { type Caller, extensionsFor, type Links, NOBODY } from "./links.ts"

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
  links: Links<S>,
  isForAnyone: (query: string) => boolean,
): Record<string, GraphQLDataSource<{ scope: Scope }>> {
  return Object.fromEntries(
    [...links].map(([name, link]) => [name, createDataSource(name, link, isForAnyone)]),
  )
}

function createDataSource<S extends Upstreamed>(
  name: string,
  link: Link<S>,
  isForAnyone: (query: string) => boolean,
): GraphQLDataSource<{ scope: Scope }> {
  const fetch = async (ask: Ask, caller: Caller): Promise<SubgraphResult> =>
    JSON.parse(await link.request(ask, extensionsFor(name, caller)))
  const entities = createEntityBatch((ask) => fetch(ask, NOBODY))

  return {
    async process({ request, context: { scope } }) {
      const ask = request as Ask
      if (ask.variables?.representations && isForAnyone(ask.query)) {
        return (await entities(ask)) as never
      }
      const result = await fetch(ask, scope.caller)
      if (result.extensions?.setCookies) scope.setCookies.push(...result.extensions.setCookies)
      return result as never
    },
  }
}
