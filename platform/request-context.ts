import type { Logger } from "./log.ts"

/**
 * What brought something about. It goes beside a message through every process on its way, and is never part of what is
 * stored or shown.
 */
export interface RequestContext {
  /** Names the request, or the operation on a socket, in the logs of all services. */
  requestId: string
  /** Where it stands in a trace (W3C Trace Context §3.2), where there are traces. */
  traceparent?: string
}

/** What the gateway makes, and whatever else a log can name safely. */
const REQUEST_ID = /^[\w.:-]{1,64}$/
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export const isTraceparent = (text: string | null | undefined): text is string =>
  typeof text === "string" && TRACEPARENT.test(text)

/** A cause that came from another process, as far as it makes sense; what does not is no reason to refuse a message. */
export function readRequestContext(
  requestId: string | null | undefined,
  traceparent: string | null | undefined,
): RequestContext | undefined {
  if (typeof requestId !== "string" || !REQUEST_ID.test(requestId)) return undefined
  return isTraceparent(traceparent) ? { requestId, traceparent } : { requestId }
}

/** The logger for what a request has brought about: each line names it. Made once there is something to say. */
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
