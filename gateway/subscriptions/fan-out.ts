import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Observers } from "../observers.ts"
import { NOBODY } from "../upstream/caller.ts"
import type { Delivery, Subscriber } from "./subscriber.ts"

/** Hands one result of a subgraph to the subscribers it is for. */
export type FanOut = (to: readonly Subscriber[], payload: string, cause?: RequestContext) => void

export function createFanOut({ tracing, metrics }: Observers): FanOut {
  if (!tracing && !metrics) return fanOut
  return (to, payload, cause) => {
    metrics?.delivered(to.length)
    const sending = tracing?.sending(cause, to)
    const waiting = fanOut(to, payload)
    if (waiting) void waiting.then(sending?.done)
    else sending?.done()
  }
}

/**
 * Those who subscribed alike get one text, worked out once, unless it depends on who asks. Each gets its events in the
 * order in which they came, whatever takes how long. Answers a promise where something has to be waited for.
 */
function fanOut(to: readonly Subscriber[], payload: string): Promise<void> | undefined {
  const first = to[0]?.compiled
  if (!first) return undefined
  if (to.every(({ compiled }) => compiled === first)) return toAlike(to, payload)
  const groups = [...Map.groupBy(to, ({ compiled }) => compiled).values()]
  return together(groups.map((alike) => toAlike(alike, payload)))
}

function toAlike(to: readonly Subscriber[], payload: string): Promise<void> | undefined {
  const { compiled } = to[0]!
  const { length } = payload
  if (compiled.shareable) return send(to, compiled.render(payload, NOBODY), length)
  return together(
    to.map((subscriber) =>
      send([subscriber], compiled.render(payload, subscriber.reader.caller()), length),
    ),
  )
}

function together(waiting: readonly (Promise<void> | undefined)[]): Promise<void> | undefined {
  return waiting.some((one) => one) ? Promise.all(waiting).then(() => {}) : undefined
}

function send(
  to: readonly Subscriber[],
  text: string | Promise<string>,
  size: number,
): Promise<void> | undefined {
  const delivery: Delivery = { text: typeof text === "string" ? text : undefined, size }
  for (const subscriber of to) subscriber.push(delivery)
  if (typeof text === "string") return undefined
  return text
    .then(
      (text) => {
        delivery.text = text
      },
      (error: Error) => {
        delivery.failure = error
      },
    )
    .then(() => {
      for (const subscriber of to) subscriber.flush()
    })
}
