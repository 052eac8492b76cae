import { ParleyError } from "@parley/platform/errors.ts"
import { createTokenBuckets, type TokenBuckets } from "@parley/platform/token-bucket.ts"
import {
  BYTES_PER_SEND,
  CHANGE_BURST,
  MARK_BURST,
  PEOPLE_PER_CHANGE,
  SEND_BURST,
} from "../limits.ts"

/** What was limited, for the metrics. */
export type Limited =
  | ("sends" | "marks" | "changes" | "waiting" | "textToday" | "textEver")
  | ("groups" | "adds" | "strangers" | "conversations" | "settings")

export type OnLimited = (what: Limited) => void

/**
 * How fast one person may write. A person's operations all come to the node that their partition is placed on, so its
 * memory is the same for every gateway. Each method throws RATE_LIMITED, with the time to wait, where it is too fast.
 */
export interface Allowance {
  /** @param bytes of its text. */
  send(user: string, bytes: number): void
  mark(user: string): void
  /** A change of members, a conversation begun, a setting. @param people that it names. */
  change(user: string, people?: number): void
}

export interface AllowanceOptions {
  limits: Record<"MESSAGES_PER_MINUTE" | "MARKS_PER_MINUTE" | "CHANGES_PER_MINUTE", number>
  /** In ms, never back: a clock that steps back would keep everyone waiting until it is where it was. */
  now?(): number
  onLimited?: OnLimited
}

export function createAllowance({
  limits,
  now = () => performance.now(),
  onLimited,
}: AllowanceOptions): Allowance {
  const buckets = (perMinute: number, burst: number) =>
    createTokenBuckets({
      perSecond: perMinute / 60,
      // An operator who allows more in a minute allows it at once, too.
      burst: Math.max(burst, perMinute),
    })
  const sends = buckets(limits.MESSAGES_PER_MINUTE, SEND_BURST)
  const marks = buckets(limits.MARKS_PER_MINUTE, MARK_BURST)
  const changes = buckets(limits.CHANGES_PER_MINUTE, CHANGE_BURST)

  function take(buckets: TokenBuckets, user: string, cost: number, what: Limited): void {
    const taken = buckets.take(user, cost, now())
    if (taken.ok) return
    onLimited?.(what)
    throw tooFast(taken.retryAfterMs)
  }

  return {
    send: (user, bytes) => take(sends, user, 1 + bytes / BYTES_PER_SEND, "sends"),
    mark: (user) => take(marks, user, 1, "marks"),
    change: (user, people = 0) => take(changes, user, 1 + people / PEOPLE_PER_CHANGE, "changes"),
  }
}

const tooFast = (retryAfterMs: number) =>
  new ParleyError("RATE_LIMITED", "That is too much at once. Try again in a moment.", {
    retryAfterMs,
  })
