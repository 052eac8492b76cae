import { isLongerThan } from "@parley/platform/bytes.ts"
import type { ParleyError } from "@parley/platform/errors.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { plainNext, sharedNext } from "./protocol.ts"
import { type BunSocket, sendFrame, waitingBytes } from "./socket.ts"
import { answerTooLarge } from "./work.ts"

/** A gateway's connection for events, as the resolver of a subscription sees it. */
export interface Link {
  /**
   * Sends one result, JSON already, to some subscriptions of this connection, with its request context where the gateway
   * asks for it. A result that is too long ends those subscriptions with TOO_LARGE. False where the connection is gone;
   * its clients resume by position.
   */
  deliver(ids: readonly string[], payload: string, cause?: RequestContext): boolean
  /** Bytes that wait for the gateway to read them. */
  waitingBytes(): number
}

/** Ends the subscriptions of one connection, by their ids. */
export type Ends = Map<string, (error: ParleyError) => void>

/** Carries one result for many subscriptions as one frame. */
export const sharedLink = (socket: BunSocket, withCause: boolean): Link => ({
  deliver: (ids, payload, cause) =>
    sendFrame(socket, sharedNext(ids, payload, withCause ? cause : undefined)),
  waitingBytes: () => waitingBytes(socket),
})

/** The same for a peer that knows graphql-transport-ws alone. */
export const plainLink = (socket: BunSocket): Link => ({
  deliver: (ids, payload) => ids.every((id) => sendFrame(socket, plainNext(id, payload))),
  waitingBytes: () => waitingBytes(socket),
})

/** Bounds a link: an event that is too long ends the subscriptions that it is for. */
export const boundEvents = (link: Link, ends: Ends, bytes: number): Link => ({
  ...link,
  deliver(ids, payload, cause) {
    if (!isLongerThan(payload, bytes)) return link.deliver(ids, payload, cause)
    for (const id of ids) ends.get(id)?.(answerTooLarge(bytes))
    return true
  },
})
