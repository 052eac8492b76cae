import { gatewayOnly } from "@parley/link/subgraph.ts"
import { Elysia } from "elysia"
import type { NodeAddress } from "./cluster/cluster.ts"

/** Which nodes there are, for gateways: whose subscriptions go where follows from it. */
export interface Topology {
  /** Of the users' channels. */
  partitions: number
  nodes: NodeAddress[]
}

/**
 * What chat serves beside GraphQL.
 * @param topology undefined while this node cannot know of the others: a gateway asks another then, or goes by what it
 * knew, rather than sending everyone here.
 */
export function routes(secret: string, topology: () => Topology | undefined) {
  const refuse = gatewayOnly(secret)
  function answer(): Response {
    const known = topology()
    return known
      ? Response.json(known)
      : new Response("The registry cannot be read.", { status: 503 })
  }
  return new Elysia().get("/internal/nodes", ({ request }) => refuse(request) ?? answer())
}
