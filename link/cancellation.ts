import { type ParleyError, unavailable } from "@parley/platform/errors.ts"
import { defaultFieldResolver, type GraphQLSchema, isObjectType } from "graphql"

/** Why an operation is to stop: the client or the gateway does not wait for its answer any more. */
export const notWaitedFor = unavailable("The answer is not waited for any more.")

/** Tells everyone who works at one operation that it is over before its end. Costs nothing as long as it is not asked. */
export class Cancellation {
  private stopped: ParleyError | undefined
  private controller: AbortController | undefined
  private listeners: Set<() => void> | undefined

  /** Why the operation is over; undefined while it goes on. */
  get reason(): ParleyError | undefined {
    return this.stopped
  }

  /** Made when it is first looked at. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController()
      if (this.stopped) this.controller.abort(this.stopped)
    }
    return this.controller.signal
  }

  /** The first reason stays. */
  cancel(reason: ParleyError = notWaitedFor): void {
    if (this.stopped) return
    this.stopped = reason
    this.controller?.abort(reason)
    const { listeners } = this
    this.listeners = undefined
    if (listeners) for (const listener of listeners) listener()
  }

  /** Calls it once, when the operation is cancelled; never where it is over already. */
  listen(listener: () => void): void {
    this.listeners ??= new Set()
    this.listeners.add(listener)
  }

  unlisten(listener: () => void): void {
    this.listeners?.delete(listener)
  }
}

/** What a client's HTTP request says of whether its answer is waited for. */
export function cancellationOf(signal: AbortSignal): Cancellation {
  const cancellation = new Cancellation()
  if (signal.aborted) cancellation.cancel()
  else signal.addEventListener("abort", () => cancellation.cancel(), { once: true })
  return cancellation
}

const byContext = new WeakMap<object, Cancellation>()
const guarded = new WeakSet<GraphQLSchema>()

/** Lets the resolvers that are given this context stop once that is cancelled. */
export const cancelWith = (context: object, cancellation: Cancellation) =>
  void byContext.set(context, cancellation)

/**
 * Makes every resolver of a schema refuse to begin once its operation has been cancelled: graphql-js goes on until each
 * field has been resolved. Fields that are read as they are have no resolver, and cost what they did.
 */
export function stopCancelled(schema: GraphQLSchema): void {
  if (guarded.has(schema)) return
  guarded.add(schema)
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith("__")) continue
    for (const field of Object.values(type.getFields())) {
      const { resolve } = field
      if (!resolve || resolve === defaultFieldResolver) continue
      field.resolve = (source, args, context, info) => {
        const reason = byContext.get(context)?.reason
        if (reason) throw reason
        return resolve(source, args, context, info)
      }
    }
  }
}
