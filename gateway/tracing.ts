import type { Logger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import type { Operation } from "./operations/operation.ts"
import { nameOf } from "./operations/operation-name.ts"
import type { Subscriber } from "./subscriptions/subscriber.ts"
import type { Caller } from "./upstream/caller.ts"

/**
 * Follows what clients ask for, and what comes of it at other clients' sockets: in the log, at debug, and in traces.
 * There is none where no operator wants to know, so that it costs nothing then.
 */
export interface Tracing {
  /** Whether what a client says of a trace of its own is of any use. */
  readonly traces: boolean
  /** An operation is about to be run. */
  running(operation: Operation, caller: Caller): Running
  /** An event is about to be sent. */
  sending(cause: RequestContext | undefined, to: readonly Subscriber[]): Sending
}

export interface Running {
  /** On whose behalf, with the cause that the subgraphs are to go on from. */
  caller: Caller
  /** `outcome` is `OK` or an error code. */
  done(outcome: string): void
}

export interface Sending {
  done(): void
}

export function createTracing(log: Logger, tracer: Tracer | undefined): Tracing | undefined {
  if (!log.debugs && !tracer) return undefined

  return {
    traces: tracer !== undefined,

    running(operation, caller) {
      const { cause } = caller
      const span = tracer?.begin(nameOf(operation), "server", cause?.traceparent)
      const about = { requestId: cause?.requestId, operation: nameOf(operation) }
      if (log.debugs) log.debug("operation received", about)
      return {
        caller:
          cause && span
            ? { ...caller, cause: { ...cause, traceparent: span.traceparent } }
            : caller,
        done(outcome) {
          span?.end(outcome === "OK" ? undefined : outcome)
          if (log.debugs) log.debug("operation answered", { ...about, outcome })
        },
      }
    },

    sending(cause, to) {
      const parent = cause?.traceparent
      const span = parent === undefined ? undefined : tracer?.begin("send", "consumer", parent)
      return {
        done() {
          span?.end()
          if (!log.debugs) return
          const sockets = new Set(to.map(({ reader }) => reader)).size
          log.debug("event sent", { requestId: cause?.requestId, sockets })
        },
      }
    },
  }
}
