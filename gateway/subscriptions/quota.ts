import { ParleyError } from "@parley/service/errors.ts"
import { MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_PER_PERSON } from "../limits.ts"
import type { Subscriber } from "./subscriber.ts"

const RETRY_AFTER_MS = 5_000

/** Counts the subscriptions of each person, and of this gateway. */
export interface SubscriptionQuota {
  /** Takes a subscription in until it is over; the refusal, where there are too many. */
  enter(person: string | undefined, subscriber: Subscriber): ParleyError | undefined
  readonly size: number
}

export function createSubscriptionQuota(
  most = MAX_SUBSCRIPTIONS,
  mostOfOne = MAX_SUBSCRIPTIONS_PER_PERSON,
): SubscriptionQuota {
  const persons = new Map<string, number>()
  let all = 0

  function leave(person: string): void {
    all -= 1
    const left = (persons.get(person) ?? 1) - 1
    if (left > 0) persons.set(person, left)
    else persons.delete(person)
  }

  return {
    enter(person = "", subscriber) {
      const mine = persons.get(person) ?? 0
      if (mine >= mostOfOne) return tooMany(`One person may have ${mostOfOne} subscriptions.`)
      if (all >= most) return tooMany("There are too many subscriptions here just now.")
      persons.set(person, mine + 1)
      all += 1
      subscriber.onOver = () => leave(person)
      return undefined
    },
    get size() {
      return all
    },
  }
}

const tooMany = (message: string) =>
  new ParleyError("RATE_LIMITED", message, { retryAfterMs: RETRY_AFTER_MS })
