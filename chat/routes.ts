import { gatewayOnly } from "@parley/service/subgraph.ts"
import { Elysia } from "elysia"
import type { NodeAddress } from "./cluster/cluster.ts"

/** Which nodes there are, for gateways: whose sessions go where follows from it. */
export interface Topology {
  /** Of the users' channels. */
  partitions: number
  nodes: NodeAddress[]
}

/** What chat serves beside GraphQL. */
export function routes(secret: string, topology: () => Topology) {
  const refuse = gatewayOnly(secret)
  return new Elysia().get(
    "/internal/nodes",
    ({ request }) => refuse(request) ?? Response.json(topology()),
  )
}
