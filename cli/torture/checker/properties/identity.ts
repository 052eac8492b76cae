import type { EntryLine } from "../../history/format.ts"
import type { At } from "../evidence.ts"
import type { Property, Violation } from "../property.ts"

export const identity: Property = {
  name: "identity",
  definition:
    "An id never stands for two messages: wherever and whenever it was seen or acknowledged, its text, sender, conversation and seq are the same.",
  check({ sends, subs, pages, store = [] }) {
    const found: Violation[] = []
    const first = new Map<string, { says: string; line: number }>()
    function note(id: string, says: string, line: number): void {
      const known = first.get(id)
      if (!known) first.set(id, { says, line })
      else if (known.says !== says) {
        found.push({ what: `${id} is ${known.says}, and ${says}`, lines: [known.line, line] })
      }
    }
    const say = (text: string, by: string, seq: number, conversation: string) =>
      `«${text}» by ${by}, ${seq} of ${conversation}`
    for (const { id, text, who, conversation, answer, line } of sends) {
      if ("seq" in answer) note(id, say(text, who, answer.seq, conversation), line)
    }
    const seen = (
      conversation: string,
      { message, by, seq }: Pick<EntryLine, "message" | "by" | "seq">,
      line: number,
    ) => {
      if (message) note(message.id, say(message.text, by, seq, conversation), line)
    }
    for (const { came } of subs) {
      for (const event of came) {
        if (event.k === "entry") seen(event.conversation, event as At<EntryLine>, event.line)
      }
    }
    for (const { conversation, answer, line } of pages) {
      if ("entries" in answer) for (const entry of answer.entries) seen(conversation, entry, line)
    }
    for (const line of store) if (line.k === "stored") seen(line.conversation, line, 0)
    return found
  },
}
