import type { LinkExtensions } from "@parley/service/link.ts"
import type { Link, Upstreamed } from "./link.ts"

/** On whose behalf a subgraph is asked. */
export interface Caller {
  /** A valid access token; undefined where nobody is signed in, and for work shared by many viewers. */
  token: string | undefined
  refreshToken: string | undefined
  userAgent: string
  /** The peer's IP address. */
  address: string
  requestId: string
}

/** Work that is the same for whoever sees its result. */
export const NOBODY: Caller = {
  token: undefined,
  refreshToken: undefined,
  userAgent: "",
  address: "",
  requestId: "",
}

/** The links to all subgraphs, by name. */
export type Links<S extends Upstreamed> = ReadonlyMap<string, Link<S>>

/** What a subgraph is told about the caller: the refresh token is auth's business alone. */
export function extensionsFor(subgraph: string, caller: Caller): LinkExtensions {
  const { token, refreshToken, userAgent, address, requestId } = caller
  return subgraph === "auth"
    ? { token, refreshToken, userAgent, address, requestId }
    : { token, userAgent, address, requestId }
}
