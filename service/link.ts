import * as v from "valibot"

/**
 * The link: what the gateway and a subgraph say to each other. It is graphql-transport-ws with two additions, both
 * ours and both described in docs/protocol.md:
 *
 * - every `subscribe` payload carries `extensions` of the shape LinkExtensions: one socket serves all users, so who
 *   asks is said per operation and not per connection;
 * - where both ends named the feature `shared-next` in `connection_init` and `connection_ack`, one `next` frame may
 *   answer many subscriptions: `{"type":"next","ids":["1","2"],"payload":…}`, in exactly this order of keys.
 */
export const LinkInit = v.object({
  secret: v.string(),
  features: v.optional(v.array(v.string()), []),
})

export const SHARED_NEXT = "shared-next"

/** The header that carries the link secret over HTTP. */
export const SECRET_HEADER = "x-parley-secret"

export const LinkExtensions = v.object({
  /** The viewer's access token; absent where nobody is signed in and for work shared by many viewers. */
  token: v.optional(v.string()),
  /** The refresh token from the browser's cookie; only auth is given it. */
  refreshToken: v.optional(v.string()),
  userAgent: v.optional(v.string(), ""),
  /** The browser's IP address. */
  address: v.optional(v.string(), ""),
  requestId: v.optional(v.string(), ""),
})
export type LinkExtensions = v.InferOutput<typeof LinkExtensions>

/** In a result's `extensions` on the link: `Set-Cookie` values for the browser. The gateway takes them out. */
export interface LinkResultExtensions {
  setCookies?: string[]
}

const SHARED_PREFIX = '{"type":"next","ids":['
const PAYLOAD_MARK = '],"payload":'

/** One frame for many subscriptions. `payload` is JSON already; ids are made by the gateway and need no escaping. */
export const sharedNext = (ids: readonly string[], payload: string): string =>
  `${SHARED_PREFIX}"${ids.join('","')}"${PAYLOAD_MARK}${payload}}`

/** A plain graphql-transport-ws `next` frame around a payload that is JSON already. */
export const plainNext = (id: string, payload: string): string =>
  `{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`

/** Splits a shared frame without parsing its payload; undefined for every other frame. */
export function readSharedNext(frame: string): { ids: string[]; payload: string } | undefined {
  if (!frame.startsWith(SHARED_PREFIX)) return undefined
  const end = frame.indexOf(PAYLOAD_MARK)
  if (end < 0) return undefined
  return {
    ids: frame.slice(SHARED_PREFIX.length + 1, end - 1).split('","'),
    payload: frame.slice(end + PAYLOAD_MARK.length, -1),
  }
}
