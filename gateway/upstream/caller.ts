import type { Cancellation } from "@parley/link/cancellation.ts"
import type { LinkExtensions } from "@parley/link/protocol.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Upstreamed } from "./ask.ts"
import type { Pool } from "./pool.ts"

/** On whose behalf a subgraph is asked. */
export interface Caller {
  /** The user's id; undefined without a login, and for work shared by many viewers. */
  user: string | undefined
  /** A valid access token; undefined without a login, and for work shared by many viewers. */
  token: string | undefined
  refreshToken: string | undefined
  /** The device cookie; absent where there is none. */
  device?: string
  userAgent: string
  /** The peer's IP address. */
  address: string
  /** Names the request in all logs; undefined for work shared by many. */
  cause: RequestContext | undefined
  /** Says when its client has lost interest; absent where that stops nothing, as with a mutation. */
  cancellation?: Cancellation
}

/** Work that is the same for every user who sees its result. */
export const NOBODY: Caller = {
  user: undefined,
  token: undefined,
  refreshToken: undefined,
  userAgent: "",
  address: "",
  cause: undefined,
}

/** The nodes of all subgraphs, by the subgraph's name. */
export type Pools<S extends Upstreamed> = ReadonlyMap<string, Pool<S>>

/** What a subgraph is told about the caller: the refresh token and the device cookie are auth's business alone. */
export function extensionsFor(subgraph: string, caller: Caller): LinkExtensions {
  const { token, refreshToken, device, userAgent, address, cause } = caller
  const { requestId = "", traceparent } = cause ?? {}
  return subgraph === "auth"
    ? { token, refreshToken, device, userAgent, address, requestId, traceparent }
    : { token, userAgent, address, requestId, traceparent }
}
