import { type RequestContext, readRequestContext } from "@parley/platform/request-context.ts"
import * as v from "valibot"

/**
 * The link: what the gateway and a subgraph say to each other, over two connections: events travel apart from answers,
 * so that no answer delays or cuts an event. Each is graphql-transport-ws with four additions, all ours and all described
 * in docs/protocol.md:
 *
 * - every `subscribe` payload carries `extensions` of the shape LinkExtensions: one socket serves all users, so who
 *   asks is said per operation and not per connection;
 * - a connection says in `connection_init` what it `carries`: the answers to queries and mutations, or events. Where it
 *   says nothing it carries both, as for any client of the protocol;
 * - where both ends named the feature `shared-next` in `connection_init` and `connection_ack`, one `next` frame may
 *   answer many subscriptions: `{"type":"next","ids":["1","2"],"payload":…}`, in exactly this order of keys;
 * - where both ends also named `cause`, such a frame may say what brought its result about:
 *   `{"type":"next","ids":["1"],"cause":{"requestId":"…","traceparent":"…"},"payload":…}`. Only a gateway that has a use
 *   for it, because it debugs or traces, asks for it.
 */
export const LinkInit = v.object({
  secret: v.string(),
  features: v.optional(v.array(v.string()), []),
  carries: v.optional(v.picklist(["answers", "events"])),
})

/** What one connection of a link is for. */
export type Carries = "answers" | "events"

export const SHARED_NEXT = "shared-next"
export const CAUSE = "cause"

/** The header that carries the link secret over HTTP. */
export const SECRET_HEADER = "x-parley-secret"

export const LinkExtensions = v.object({
  /** The viewer's access token; absent without a login and for work shared by many viewers. */
  token: v.optional(v.string()),
  /** The refresh token from the browser's cookie; only auth is given it. */
  refreshToken: v.optional(v.string()),
  /** The device cookie of the browser; only auth is given it. */
  device: v.optional(v.string()),
  userAgent: v.optional(v.string(), ""),
  /** The browser's IP address. */
  address: v.optional(v.string(), ""),
  /** Both together are the operation's cause (platform/request-context.ts). */
  requestId: v.optional(v.string(), ""),
  traceparent: v.optional(v.string()),
})
export type LinkExtensions = v.InferOutput<typeof LinkExtensions>

/** In a result's `extensions` on the link: `Set-Cookie` values for the browser. The gateway takes them out. */
export interface LinkResultExtensions {
  setCookies?: string[]
}

const SHARED_PREFIX = '{"type":"next","ids":['
const PAYLOAD_MARK = '],"payload":'
const CAUSE_MARK = '],"cause":'
const CAUSE_END = ',"payload":'

/** One frame for many subscriptions. `payload` is JSON already; ids are made by the gateway and need no escaping. */
export const sharedNext = (
  ids: readonly string[],
  payload: string,
  cause?: RequestContext,
): string => {
  const start = `${SHARED_PREFIX}"${ids.join('","')}"`
  return cause === undefined
    ? `${start}${PAYLOAD_MARK}${payload}}`
    : `${start}${CAUSE_MARK}${causeAsJson(cause)}${CAUSE_END}${payload}}`
}

/** Both values are of characters that JSON leaves alone. */
const causeAsJson = ({ requestId, traceparent }: RequestContext) =>
  traceparent === undefined
    ? `{"requestId":"${requestId}"}`
    : `{"requestId":"${requestId}","traceparent":"${traceparent}"}`

/** A plain graphql-transport-ws `next` frame around a payload that is JSON already. */
export const plainNext = (id: string, payload: string): string =>
  `{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`

export interface SharedNext {
  ids: string[]
  payload: string
  cause: RequestContext | undefined
}

/** Splits a shared frame without parsing its payload; undefined for every other frame. */
export function readSharedNext(frame: string): SharedNext | undefined {
  if (!frame.startsWith(SHARED_PREFIX)) return undefined
  const end = frame.indexOf("]", SHARED_PREFIX.length)
  if (end < 0) return undefined
  const ids = frame.slice(SHARED_PREFIX.length + 1, end - 1).split('","')
  if (frame.startsWith(PAYLOAD_MARK, end)) {
    return { ids, payload: frame.slice(end + PAYLOAD_MARK.length, -1), cause: undefined }
  }
  if (!frame.startsWith(CAUSE_MARK, end)) return undefined
  const causeAt = end + CAUSE_MARK.length
  const causeEnd = frame.indexOf(CAUSE_END, causeAt)
  if (causeEnd < 0) return undefined
  const { requestId, traceparent } = JSON.parse(frame.slice(causeAt, causeEnd))
  const payload = frame.slice(causeEnd + CAUSE_END.length, -1)
  return { ids, payload, cause: readRequestContext(requestId, traceparent) }
}
