import type { Bus } from "../bus/bus.ts"
import type { Entry } from "../domain/entry.ts"
import { audience, type Picture } from "../domain/picture.ts"
import type { Receipt } from "../domain/receipts.ts"
import type { Hub } from "./hub.ts"

/** The one door out: only the router decides between this node's hub and the bus, and only it writes to either. */
export interface Router {
  /**
   * An entry is in the log; the picture stands at it. Resolves once the other nodes will hear of it, and rejects where
   * they may not; undefined where there are none.
   */
  entryStored(entry: Entry, picture: Picture): Promise<void> | undefined
  receiptMoved(receipt: Receipt, users: readonly string[]): void
}

/** Joins a hub to a bus. What other nodes publish reaches this node's sessions; what happens here reaches both. */
export function createRouter(hub: Hub, bus: Bus): Router {
  bus.onRecord(({ event, users }) => hub.take(event, users))
  return {
    entryStored(entry, picture) {
      const event = { kind: "entry", entry } as const
      hub.take(event, [])
      const published = bus.publish(event, () => audience(picture, entry))
      // Whoever keeps account of it hears of a failure; nobody has to.
      published?.catch(() => {})
      return published
    },
    receiptMoved(receipt, users) {
      hub.take(receipt, users)
      // A receipt that nobody hears of is not lost: the watermark is stored.
      bus.publish(receipt, () => users)?.catch(() => {})
    },
  }
}
