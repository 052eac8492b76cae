import { type AnyVariables, stringifyDocument, type TypedDocumentNode } from "@urql/core"
import { cookies, headers } from "next/headers"
import { webConfig } from "./web-config.ts"

/** Longer than the gateway's own limit for a subgraph, shorter than a visitor's patience. */
const TIMEOUT_MS = 10_000

export interface GraphResult<Data> {
  data?: Data | null
  errors?: { message: string; extensions?: { code?: string } }[]
}

/**
 * Asks the gateway as the visitor whose request is being answered: with their cookies, in their name.
 * @throws where the gateway is not reached or does not answer in JSON.
 */
export async function askGraph<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<GraphResult<Data>> {
  const incoming = await headers()
  const response = await fetch(new URL("/graphql", webConfig().gatewayUrl), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      cookie: (await cookies()).toString(),
      "user-agent": incoming.get("user-agent") ?? "",
      "x-forwarded-for": incoming.get("x-forwarded-for") ?? "",
      "x-parley-address": incoming.get("x-parley-address") ?? "",
    },
    body: JSON.stringify({ query: stringifyDocument(document), variables }),
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return (await response.json()) as GraphResult<Data>
}
