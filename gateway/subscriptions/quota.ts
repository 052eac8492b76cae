import { ParleyError } from "@parley/platform/errors.ts"
import {
  MAX_SUBSCRIBED_BYTES,
  MAX_SUBSCRIPTIONS,
  MAX_SUBSCRIPTIONS_PER_PERSON,
  REMEMBERED_DOCUMENT,
} from "../limits.ts"
import type { Operation } from "../operations/operation.ts"
import type { Subscriber } from "./subscriber.ts"

const RETRY_AFTER_MS = 5_000

/** Counts the subscriptions of each person, and of this gateway, and weighs the documents that they keep in memory. */
export interface SubscriptionQuota {
  /** Takes a subscription in until it is over; the refusal, where there are too many. */
  enter(
    person: string | undefined,
    subscriber: Subscriber,
    operation: Pick<Operation, "text">,
  ): ParleyError | undefined
  readonly size: number
}

interface Subscribed {
  count: number
  /** How many have the same document. */
  documents: Map<object, number>
  bytes: number
}

export function createSubscriptionQuota(
  most = MAX_SUBSCRIPTIONS,
  mostOfOne = MAX_SUBSCRIPTIONS_PER_PERSON,
): SubscriptionQuota {
  const persons = new Map<string, Subscribed>()
  let all = 0

  function leave(person: string, mine: Subscribed, operation: Pick<Operation, "text">): void {
    all -= 1
    mine.count -= 1
    if (mine.count === 0) persons.delete(person)
    const left = mine.documents.get(operation)! - 1
    if (left > 0) mine.documents.set(operation, left)
    else {
      mine.documents.delete(operation)
      mine.bytes -= weigh(operation)
    }
  }

  return {
    enter(person = "", subscriber, operation) {
      const mine = persons.get(person) ?? { count: 0, documents: new Map(), bytes: 0 }
      if (mine.count >= mostOfOne) return tooMany(`One person may have ${mostOfOne} subscriptions.`)
      if (all >= most) return tooMany("There are too many subscriptions here just now.")
      const same = mine.documents.get(operation) ?? 0
      const bytes = same > 0 ? mine.bytes : mine.bytes + weigh(operation)
      // One alone may be as long as any document.
      if (mine.count > 0 && bytes > Math.max(mine.bytes, MAX_SUBSCRIBED_BYTES)) {
        return tooMany("Your subscriptions have too many different documents.")
      }
      mine.bytes = bytes
      mine.documents.set(operation, same + 1)
      mine.count += 1
      persons.set(person, mine)
      all += 1
      subscriber.onOver = () => leave(person, mine, operation)
      return undefined
    },
    get size() {
      return all
    },
  }
}

/** About what a document and its plan come to. */
const weigh = ({ text }: Pick<Operation, "text">) =>
  REMEMBERED_DOCUMENT.bytes + text.length * REMEMBERED_DOCUMENT.bytesACharacter

const tooMany = (message: string) =>
  new ParleyError("RATE_LIMITED", message, { retryAfterMs: RETRY_AFTER_MS })
