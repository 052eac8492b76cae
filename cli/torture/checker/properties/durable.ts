import { describe } from "../logs.ts"
import type { Property, Violation } from "../property.ts"

export const durable: Property = {
  name: "durable",
  definition:
    "Every acknowledged message is in the log in the end, at the seq, with the text and by the sender that the acknowledgement named, and no id is in the logs twice.",
  check({ sends }, logs) {
    const found: Violation[] = []
    for (const { conversation, id, text, who, answer, line } of sends) {
      if (!("seq" in answer)) continue
      const at = logs.of(conversation).final.get(answer.seq)
      const promised = `message ${id} «${text}» by ${who}, acknowledged as ${answer.seq} of ${conversation}`
      if (!at) found.push({ what: `${promised}, is not in the log`, lines: [line] })
      else if (
        at.entry.message?.id !== id ||
        at.entry.message.text !== text ||
        at.entry.by !== who
      ) {
        const what = `${promised}: at its place is ${describe(at.entry)}`
        found.push({ what, lines: [line, at.line] })
      }
      if (answer.id !== id || answer.text !== text || answer.by !== who) {
        const what = `${promised}: the acknowledgement is about ${answer.id} «${answer.text}» by ${answer.by}`
        found.push({ what, lines: [line] })
      }
    }
    const places = new Map<string, string>()
    for (const { conversation, final } of logs.all) {
      for (const { entry, line } of final.values()) {
        if (!entry.message) continue
        const place = `${entry.seq} of ${conversation}`
        const other = places.get(entry.message.id)
        if (other) {
          const what = `message ${entry.message.id} is in the log twice: ${other}, and ${place}`
          found.push({ what, lines: [line] })
        }
        places.set(entry.message.id, place)
      }
    }
    return found
  },
}
