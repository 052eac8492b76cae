import type { Outcome } from "./attack.ts"
import type { Reply } from "./client.ts"

/** Counts what happens and notes what must not. */
export class Tally implements Outcome {
  readonly counts: Record<string, number> = {}
  readonly broken: string[] = []

  count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times
  }

  reply({ code, took, bytes }: Reply<unknown>): void {
    this.count(code ?? "ok")
    this.counts.slowestMs = Math.max(this.counts.slowestMs ?? 0, Math.round(took))
    this.counts.largestKb = Math.max(this.counts.largestKb ?? 0, Math.round(bytes / 1024))
  }

  /** Notes the sentence where it does not hold. */
  expect(holds: boolean, otherwise: string): void {
    if (!holds && !this.broken.includes(otherwise)) this.broken.push(otherwise)
  }

  of(what: string): number {
    return this.counts[what] ?? 0
  }
}

export interface FloodOptions {
  /** When to stop, in ms from now. */
  lasts: number
  /** How many are under way at a time. */
  atOnce: number
  /** No more than this altogether. */
  atMost?: number
  /** No more than so many a second. */
  perSecond?: number
}

/** Does the same thing again and again, so many at a time, until the time or the number is up. */
export async function flood(
  { lasts, atOnce, atMost = Number.POSITIVE_INFINITY, perSecond }: FloodOptions,
  once: (index: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now()
  let next = 0
  const worker = async () => {
    while (next < atMost && performance.now() - began < lasts) {
      const index = next++
      if (perSecond) {
        const due = began + (index * 1_000) / perSecond
        if (due > began + lasts) return
        await Bun.sleep(Math.max(0, due - performance.now()))
      }
      await once(index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return next
}

/** What a stranger or a member may be answered where an operation asks for too much: a code, and no failure. */
export const REFUSALS =
  /^(TOO_LARGE|RATE_LIMITED|BAD_INPUT|GRAPHQL_PARSE_FAILED|GRAPHQL_VALIDATION_FAILED|NOT_FOUND|UNAUTHENTICATED|CONFLICT)$/

/** Text of about so many bytes that no cache has seen. */
export const nonce = (length = 16): string => {
  let text = ""
  while (text.length < length) text += crypto.randomUUID().replaceAll("-", "")
  return `n${text.slice(0, length - 1)}`
}
