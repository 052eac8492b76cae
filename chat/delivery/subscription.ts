import type { Link } from "@parley/link/subgraph.ts"
import type { ParleyError } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { BusEvent } from "../bus/bus.ts"
import { entryBytes } from "../domain/entry-bytes.ts"

/** What a subscription can be told: what happened, and that its replay is over. */
export type DeliveryEvent = BusEvent | Ready

export interface Ready {
  kind: "ready"
  recovered: boolean
  /** Conversations of which too much was missed. */
  reload: string[]
}

/** Turns an event into the answer to one subscription document. Subscriptions with the same document share one. */
export interface CompiledSubscription {
  /** Whether the answer is the same for every viewer, so that one rendering serves all. */
  readonly shareable: boolean
  /**
   * The result as JSON. Without a viewer only where `shareable`; without a promise where nothing had to be read.
   * @throws ParleyError UNAVAILABLE where something could not be read just now, TOO_LARGE where the document selects
   * more than one event may have.
   */
  render(event: DeliveryEvent, viewer: string | undefined): string | Promise<string>
}

/**
 * One subscription to `events`. Its phases: *replaying* (registered with the hub, so that nothing new is missed; what
 * is new waits in `buffer`), then *live*, then *ended*.
 */
export interface Subscription {
  readonly user: string
  readonly compiled: CompiledSubscription
  readonly link: Link
  /** The subscription's id on the link. */
  readonly id: string
  phase: "replaying" | "live" | "ended"
  buffer: BusEvent[]
  /** The bytes of what is in `buffer`. */
  bufferedBytes: number
  /**
   * Up to which seq the replay answers for a conversation. Live entries up to there are duplicates. Only what lies
   * ahead of the feed's tail is kept once the subscription is live.
   */
  covered: Map<string, number>
  /** For conversations that the user has left, as far as this subscription knows: the last seq that was theirs to see. */
  departed: Map<string, number>
  /** Ends the subscription; with an error, where its client is to know why. */
  end(error?: ParleyError): void
}

/** Ends subscriptions that may have missed something. One that cannot be ended keeps none of the others from it. */
export function endAll(
  subscriptions: Iterable<Subscription>,
  reason: ParleyError,
  log: Logger,
): void {
  for (const subscription of subscriptions) {
    try {
      subscription.end(reason)
    } catch (error) {
      log.error("a subscription cannot be ended", { user: subscription.user, error })
    }
  }
}

export const requestContextOf = (event: DeliveryEvent): RequestContext | undefined =>
  event.kind === "ready" ? undefined : event.cause

const RECEIPT_BYTES = 200

/** About the memory that an event takes while it waits. */
export const eventBytes = (event: BusEvent): number =>
  event.kind === "entry" ? entryBytes(event.entry) : RECEIPT_BYTES

/** Whether the replay has told, or will tell, the subscription of this entry already. */
export function isCovered(subscription: Subscription, event: BusEvent): boolean {
  if (event.kind !== "entry" || subscription.covered.size === 0) return false
  const { conversation, seq } = event.entry
  const upTo = subscription.covered.get(conversation)
  if (upTo === undefined) return false
  if (seq <= upTo) return true
  subscription.covered.delete(conversation)
  return false
}
