import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Bus, BusEvent } from "../bus/bus.ts"
import type { ConversationState } from "../domain/conversation-state.ts"
import type { Entry } from "../domain/entry.ts"
import type { Receipt } from "../domain/receipts.ts"
import { recipientsOf } from "../domain/recipients.ts"
import type { StateCache } from "../domain/state-cache.ts"
import type { Tracing } from "../tracing.ts"
import type { Hub } from "./hub.ts"

/** The one door out: only the publisher decides between this node's hub and the bus, and only it writes to either. */
export interface Publisher {
  /**
   * An entry is in the log; the state stands at it. Resolves once the other nodes will hear of it, and rejects where
   * they may not; undefined where there are none.
   */
  entryStored(
    entry: Entry,
    state: ConversationState,
    cause?: RequestContext,
  ): Promise<void> | undefined
  receiptMoved(receipt: Receipt, users: readonly string[], cause?: RequestContext): void
}

export interface PublisherOptions {
  hub: Hub
  bus: Bus
  /** Told of what others write. */
  states: Pick<StateCache, "hear">
  tracing?: Tracing
}

/** Joins a hub to a bus. What other nodes publish reaches this node's subscriptions; what happens here reaches both. */
export function createPublisher({ hub, bus, states, tracing }: PublisherOptions): Publisher {
  bus.onRecord(({ event, users }) => {
    tracing?.received(event)
    hub.take(event, users)
    if (event.kind === "entry") states.hear(event.entry.conversation, event.entry.seq)
  })

  function publish(event: BusEvent, users: () => readonly string[]): Promise<void> | undefined {
    const publishing = tracing?.publishing(event)
    const published = bus.publish(publishing?.event ?? event, users)
    if (published) publishing?.until(published)
    // The outbox hears of a failure. Where there is none, the failure is of no consequence.
    published?.catch(() => {})
    return published
  }

  return {
    entryStored(entry, state, cause) {
      const event = { kind: "entry", entry, cause } as const
      hub.take(event, [])
      return publish(event, () => recipientsOf(state, entry))
    },
    receiptMoved(receipt, users, cause) {
      const event = { ...receipt, cause }
      hub.take(event, users)
      // A receipt that reaches no node is not lost: the watermark is stored.
      void publish(event, () => users)
    },
  }
}
