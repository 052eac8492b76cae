import type { BusEvent } from "../bus/bus.ts"
import type { Lanes } from "./dispatch.ts"
import type { Subscription } from "./subscription.ts"

/** The subscriptions of this node that belong to one conversation, and how far they have been told of its log. */
export interface Feed {
  readonly conversation: string
  /** Every entry up to here has been dispatched. */
  tail: number
  /** An entry up to here is known to be in the log. */
  known: number
  readonly subscriptions: Set<Subscription>
  /** What has arrived while the log was being read. */
  queue: { event: BusEvent; users: readonly string[] }[]
  /** The bytes of these. */
  queuedBytes: number
  busy: boolean
  /** Documents whose events are still being rendered. */
  readonly lanes: Lanes
  /** Since when the store has failed it, by `performance.now()`. */
  failingSince: number | undefined
}
