import type { Link } from "@parley/link/subgraph.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { logFor } from "@parley/platform/request-context.ts"
import type { BusEvent } from "../bus/bus.ts"
import { BUFFER_BYTES, BUFFER_EVENTS } from "../limits.ts"
import type { Tracing } from "../tracing.ts"
import { createLane, type Lane } from "./lane.ts"
import {
  type CompiledSubscription,
  endAll,
  eventBytes,
  isCovered,
  type Subscription,
} from "./subscription.ts"

/** Who is told of what becomes of an event, beside those whom it concerns. */
export interface Observers {
  log: Logger
  tracing?: Tracing
}

/** Of one conversation: the documents whose events are being rendered, each with what waits behind. */
export type Lanes = Map<CompiledSubscription, Lane>

/**
 * Hands one event to some subscriptions: those that are still replaying keep it, the live ones of one document share one
 * rendering and, per connection, one frame. A document that has to wait for its rendering makes its own later events
 * wait, and no other document's. Answers a promise only where a rendering that began now had to wait for something.
 * @param onIdle told when the last lane has come to its end.
 */
export function dispatch(
  event: BusEvent,
  subscriptions: Iterable<Subscription>,
  observers: Observers,
  lanes: Lanes = new Map(),
  onIdle: () => void = () => {},
): void | Promise<void> {
  const waiting: Promise<void>[] = []
  for (const [compiled, audience] of byDocument(event, subscriptions)) {
    const lane = lanes.get(compiled)
    if (lane) {
      lane.add(event, audience)
      continue
    }
    const sent = render(compiled, event, audience, observers)
    if (!sent) continue
    const send = (event: BusEvent, audience: Subscription[]) =>
      render(compiled, event, audience, observers)
    const onEnd = () => {
      lanes.delete(compiled)
      if (lanes.size === 0) onIdle()
    }
    const opened = createLane(sent, audience, send, onEnd, observers.log)
    lanes.set(compiled, opened)
    waiting.push(opened.done)
  }
  if (waiting.length > 0) return Promise.all(waiting).then(() => {})
}

function byDocument(
  event: BusEvent,
  subscriptions: Iterable<Subscription>,
): Map<CompiledSubscription, Subscription[]> {
  const audiences = new Map<CompiledSubscription, Subscription[]>()
  for (const subscription of subscriptions) {
    if (subscription.phase === "replaying") buffer(subscription, event)
    else if (subscription.phase === "live" && !isCovered(subscription, event)) {
      const audience = audiences.get(subscription.compiled)
      if (audience) audience.push(subscription)
      else audiences.set(subscription.compiled, [subscription])
    }
  }
  return audiences
}

function buffer(subscription: Subscription, event: BusEvent): void {
  subscription.buffer.push(event)
  subscription.bufferedBytes += eventBytes(event)
  if (subscription.buffer.length > BUFFER_EVENTS || subscription.bufferedBytes > BUFFER_BYTES) {
    subscription.end(
      unavailable("Too much has happened during the replay: resume from your position."),
    )
  }
}

function render(
  compiled: CompiledSubscription,
  event: BusEvent,
  audience: Subscription[],
  observers: Observers,
): void | Promise<void> {
  if (compiled.shareable) return send(compiled, event, undefined, audience, observers)
  const waiting: Promise<void>[] = []
  // One person's devices share a rendering.
  for (const [user, subscriptions] of Map.groupBy(audience, ({ user }) => user)) {
    const sent = send(compiled, event, user, subscriptions, observers)
    if (sent) waiting.push(sent)
  }
  return waiting.length > 0 ? Promise.all(waiting).then(() => {}) : undefined
}

function send(
  compiled: CompiledSubscription,
  event: BusEvent,
  viewer: string | undefined,
  audience: Subscription[],
  { log, tracing }: Observers,
): void | Promise<void> {
  // An event that cannot be rendered must not be skipped: its subscriptions end, and resume from their positions.
  const giveUp = (error: unknown) => {
    const isTooLarge = error instanceof ParleyError && error.code === "TOO_LARGE"
    if (!isTooLarge) logFor(log, event.cause).error("event not rendered", { error })
    const reason = isTooLarge ? error : unavailable("The event could not be read.")
    endAll(audience, reason, log)
  }
  try {
    const delivering = tracing?.delivering(event)
    const { cause } = delivering ?? event
    const give = (payload: string) => {
      let subscriptions = 0
      for (const [link, ids] of byLink(audience)) {
        if (link.deliver(ids, payload, cause)) subscriptions += ids.length
      }
      delivering?.done(subscriptions)
    }
    const payload = compiled.render(event, viewer)
    if (payload instanceof Promise) return payload.then(give).catch(giveUp)
    give(payload)
  } catch (error) {
    giveUp(error)
  }
}

function byLink(audience: Subscription[]): Map<Link, string[]> {
  const links = new Map<Link, string[]>()
  for (const { phase, link, id } of audience) {
    if (phase === "ended") continue
    const ids = links.get(link)
    if (ids) ids.push(id)
    else links.set(link, [id])
  }
  return links
}
