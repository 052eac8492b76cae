import type { SendLine } from "../../history/format.ts"
import type { At } from "../evidence.ts"
import { describe } from "../logs.ts"
import type { Property, Violation } from "../property.ts"

/** After these, the same may have been stored all the same, or be stored later. */
export const OPEN = /^(UNAVAILABLE|UNAUTHENTICATED|RATE_LIMITED|INTERNAL)$/

export const origin: Property = {
  name: "origin",
  definition:
    "Whatever message is in a log was sent so by its sender, who was a member then, and was not definitely refused at each attempt.",
  check({ sends }, logs) {
    const found: Violation[] = []
    const attempts = new Map<string, At<SendLine>[]>()
    for (const send of sends) {
      const key = keyOf(send.id, send.text, send.who, send.conversation)
      const known = attempts.get(key)
      if (known) known.push(send)
      else attempts.set(key, [send])
    }
    for (const { conversation, final } of logs.all) {
      for (const { entry, line } of final.values()) {
        const { message, by, seq } = entry
        if (!message) continue
        const place = `${describe(entry)}, ${seq} of ${conversation}`
        const sent = attempts.get(keyOf(message.id, message.text, by, conversation))
        if (!sent) found.push({ what: `no writer sent ${place}`, lines: [line] })
        else if (sent.every(isRefused)) {
          found.push({
            what: `${place}, was refused`,
            lines: [...sent.map(({ line }) => line), line],
          })
        }
        if (!logs.sees(conversation, by, seq)) {
          found.push({ what: `${place}: ${by} was no member then`, lines: [line] })
        }
      }
    }
    return found
  },
}

const keyOf = (...parts: string[]) => parts.join("\n")

const isRefused = ({ answer }: SendLine) => "code" in answer && !OPEN.test(answer.code)
