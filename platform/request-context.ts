import type { Logger } from "./log.ts"

/**
 * A request, as logs and traces name it. It goes beside a message through every process on its way, and is never stored
 * or shown.
 */
export interface RequestContext {
  /** Names the request, or the operation on a socket, in the logs of all services. */
  requestId: string
  /** Where it stands in a trace (W3C Trace Context §3.2), where there are traces. */
  traceparent?: string
}

/** Ids that the gateway makes, and others that a log can hold safely. */
const REQUEST_ID = /^[\w.:-]{1,64}$/
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export const isTraceparent = (text: string | null | undefined): text is string =>
  typeof text === "string" && TRACEPARENT.test(text)

/** Reads the context that another process sent. A malformed id or traceparent is dropped: neither is a reason to refuse a message. */
export function readRequestContext(
  requestId: string | null | undefined,
  traceparent: string | null | undefined,
): RequestContext | undefined {
  if (typeof requestId !== "string" || !REQUEST_ID.test(requestId)) return undefined
  return isTraceparent(traceparent) ? { requestId, traceparent } : { requestId }
}

/** A logger whose lines name the request; without one, the log as it is. */
export function logFor(log: Logger, cause: RequestContext | undefined): Logger {
  if (!cause) return log
  const { requestId } = cause
  return {
    debugs: log.debugs,
    debug: (event, fields) => log.debug(event, { requestId, ...fields }),
    info: (event, fields) => log.info(event, { requestId, ...fields }),
    warn: (event, fields) => log.warn(event, { requestId, ...fields }),
    error: (event, fields) => log.error(event, { requestId, ...fields }),
  }
}
