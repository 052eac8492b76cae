import { SECRET_HEADER } from "@parley/service/link.ts"
import { secretCheck } from "@parley/service/subgraph.ts"
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
  const mayEnter = secretCheck(secret)
  return new Elysia().get("/internal/nodes", ({ request }) =>
    mayEnter(request.headers.get(SECRET_HEADER) ?? "")
      ? Response.json(topology())
      : new Response("This endpoint answers the gateway only.\n", { status: 403 }),
  )
}
