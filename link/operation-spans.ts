import type { Cause } from "@parley/platform/request-context.ts"
import type { Step, Tracer } from "@parley/platform/tracing.ts"
import { type ExecutionResult, Kind, type OperationDefinitionNode } from "graphql"

/** The part of a call that its step hangs on. */
interface Caused {
  cause: Cause | undefined
}

/**
 * The steps of a subgraph's operations, as they are answered. A subscription lives too long to be one: its events are
 * steps of what caused them.
 */
export function createOperationSteps(tracer: Tracer) {
  const steps = new WeakMap<Caused, Step>()
  return {
    /** Begins the step of a call, and answers the cause of all that follows from it. */
    begin(call: Caused, operation: OperationDefinitionNode): Cause | undefined {
      const { cause } = call
      if (operation.operation === "subscription") return cause
      const step = tracer.begin(nameOf(operation), "server", cause?.traceparent)
      steps.set(call, step)
      return cause && { ...cause, traceparent: step.traceparent }
    },
    end(call: Caused, { errors }: ExecutionResult): void {
      steps.get(call)?.end(errors?.[0] && String(errors[0].extensions.code))
      steps.delete(call)
    },
  }
}

/** The root fields' names are the schema's, so there are few; an operation's own name is whatever its author wrote. */
function nameOf({ operation, selectionSet }: OperationDefinitionNode): string {
  const [field] = selectionSet.selections
  return field?.kind === Kind.FIELD ? `${operation} ${field.name.value}` : operation
}
