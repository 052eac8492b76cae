import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Span, Tracer } from "@parley/platform/tracing.ts"
import { type ExecutionResult, Kind, type OperationDefinitionNode } from "graphql"

/** The part of a call that its span hangs on. */
interface Traced {
  cause: RequestContext | undefined
}

/**
 * The spans of a subgraph's operations, as they are answered. A subscription lives too long to be one: its events are
 * spans of what caused them.
 */
export function createOperationSpans(tracer: Tracer) {
  const spans = new WeakMap<Traced, Span>()
  return {
    /** Begins the span of a call, and answers the cause of all that follows from it. */
    begin(call: Traced, operation: OperationDefinitionNode): RequestContext | undefined {
      const { cause } = call
      if (operation.operation === "subscription") return cause
      const span = tracer.begin(nameOf(operation), "server", cause?.traceparent)
      spans.set(call, span)
      return cause && { ...cause, traceparent: span.traceparent }
    },
    end(call: Traced, { errors }: ExecutionResult): void {
      spans.get(call)?.end(errors?.[0] && String(errors[0].extensions.code))
      spans.delete(call)
    },
  }
}

/** The root fields' names are the schema's, so there are few; an operation's own name is whatever its author wrote. */
function nameOf({ operation, selectionSet }: OperationDefinitionNode): string {
  const [field] = selectionSet.selections
  return field?.kind === Kind.FIELD ? `${operation} ${field.name.value}` : operation
}
