import type { Property, Violation } from "../property.ts"

export const whole: Property = {
  name: "whole",
  definition:
    "In the end every log is numbered 1, 2, 3 … without holes, and a reader that asked for the whole of it got every entry it may see, in this order.",
  check({ pages, quiet = Number.POSITIVE_INFINITY }, logs) {
    const found: Violation[] = []
    for (const { conversation, final, head } of logs.all) {
      // Where the store was not read, the beginning may be unseen.
      const first = Math.min(...final.keys())
      for (let seq = first; seq <= head; seq++) {
        if (!final.has(seq))
          found.push({ what: `${conversation} has no entry ${seq} of ${head}`, lines: [] })
      }
    }
    const reading = new Map<string, number>()
    for (const { conversation, who, after, answer, t, line, sub } of pages) {
      if (t < quiet || sub !== undefined || !("entries" in answer)) continue
      const key = `${who} ${conversation}`
      const window = logs.windows(conversation, who).at(-1)
      let expected = Math.max(after + 1, window?.from ?? 0)
      for (const { seq } of answer.entries) {
        if (seq !== expected) {
          const what = `${who} asked for ${conversation} after ${after} and got ${seq} instead of ${expected}`
          found.push({ what, lines: [line] })
        }
        expected = seq + 1
      }
      reading.set(key, expected - 1)
      const { head } = logs.of(conversation)
      if (answer.entries.length === 0 && expected <= head) {
        const what = `${who} asked for ${conversation} after ${after} and got nothing; it ends at ${head}`
        found.push({ what, lines: [line] })
      }
    }
    for (const [key, last] of reading) {
      const { head } = logs.of(key.slice(key.indexOf(" ") + 1))
      if (last === head) continue
      found.push({ what: `${key} was read to its end at ${last}; it ends at ${head}`, lines: [] })
    }
    return found
  },
}
