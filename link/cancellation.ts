import { type ParleyError, unavailable } from "@parley/platform/errors.ts"
import { defaultFieldResolver, type GraphQLSchema, isObjectType } from "graphql"

/** The default reason to stop an operation: the client or the gateway no longer waits for its answer. */
export const notWaitedFor = unavailable("The answer is not waited for any more.")

/** Tells the resolvers and stores of one operation that it stops early. The AbortSignal is made only when it is read. */
export class Cancellation {
  private stopped: ParleyError | undefined
  private controller: AbortController | undefined
  private listeners: Set<() => void> | undefined

  /** Why the operation is over; undefined while it goes on. */
  get reason(): ParleyError | undefined {
    return this.stopped
  }

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

  /** Calls the listener once, when the operation is cancelled; never where it was cancelled before. */
  listen(listener: () => void): void {
    this.listeners ??= new Set()
    this.listeners.add(listener)
  }

  unlisten(listener: () => void): void {
    this.listeners?.delete(listener)
  }
}

/** Cancels when a client gives up its HTTP request. */
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
 * field has been resolved. Fields without a resolver are left as they are.
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
