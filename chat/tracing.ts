import type { Logger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Attributes, SpanRole, Tracer } from "@parley/platform/tracing.ts"
import type { BusEvent } from "./bus/bus.ts"
import type { Entry } from "./domain/entry.ts"

/**
 * Follows what requests bring about through this node: in the log, at debug, and in traces. There is none where no operator
 * wants to know, so that it costs nothing then.
 */
export interface Tracing {
  /** The entry is in the log, by a write that began at that time of `performance.now()`. */
  stored(entry: Entry, cause: RequestContext | undefined, beganAt: number): void
  /** The event is about to go to other nodes. */
  publishing(event: BusEvent): Publishing
  /** The event has come from another node. */
  received(event: BusEvent): void
  /** The event is about to go to subscriptions of this node. */
  delivering(event: BusEvent): Delivering
}

export interface Publishing {
  /** The same, with the cause that the others are to go on from. */
  event: BusEvent
  until(published: Promise<void>): void
}

export interface Delivering {
  /** What the gateways of these subscriptions go on from. */
  cause: RequestContext | undefined
  /** So many subscriptions were sent it. */
  done(subscriptions: number): void
}

export function createTracing(log: Logger, tracer: Tracer | undefined): Tracing | undefined {
  if (!log.debugs && !tracer) return undefined

  function say(what: string, about: Attributes, cause: RequestContext | undefined): void {
    if (log.debugs) log.debug(what, { requestId: cause?.requestId, ...about })
  }

  /** What no known request has brought about is no part of a trace. */
  function begin(
    name: string,
    kind: SpanRole,
    cause: RequestContext | undefined,
    about: Attributes,
    beganAt?: number,
  ) {
    if (cause?.traceparent === undefined) return undefined
    return tracer?.begin(name, kind, cause.traceparent, attributesOf(about), beganAt)
  }

  return {
    stored(entry, cause, beganAt) {
      const about = aboutEntry(entry)
      begin("append", "internal", cause, about, beganAt)?.end()
      say("entry stored", about, cause)
    },

    publishing(event) {
      const { cause } = event
      const about = aboutEvent(event)
      const span = begin("publish", "producer", cause, about)
      return {
        event:
          cause && span ? { ...event, cause: { ...cause, traceparent: span.traceparent } } : event,
        until(published) {
          published.then(
            () => {
              span?.end()
              say("event published", about, cause)
            },
            () => span?.end("UNAVAILABLE"),
          )
        },
      }
    },

    received: (event) => say("event received", aboutEvent(event), event.cause),

    delivering(event) {
      const { cause } = event
      const about = aboutEvent(event)
      const span = begin("deliver", "consumer", cause, about)
      return {
        cause: cause && span ? { ...cause, traceparent: span.traceparent } : cause,
        done(sessions) {
          span?.end()
          say("event delivered", { ...about, sessions }, cause)
        },
      }
    },
  }
}

/** Where it is to be found, and no text of a user. */
function aboutEntry(entry: Entry): Attributes {
  const { conversation, seq } = entry
  return entry.kind === "message" ? { conversation, seq, id: entry.id } : { conversation, seq }
}

const aboutEvent = (event: BusEvent): Attributes =>
  event.kind === "entry"
    ? aboutEntry(event.entry)
    : { conversation: event.conversation, receipt: Math.max(event.delivered, event.read) }

const attributesOf = (about: Attributes): Attributes =>
  Object.fromEntries(Object.entries(about).map(([name, value]) => [`parley.${name}`, value]))
