import type { Evidence } from "../evidence.ts"
import type { Property, Violation } from "../property.ts"
import { createStandings } from "../standing.ts"

export const privacy: Property = {
  name: "privacy",
  definition:
    "A member saw entries only from their joining to their leaving, both included. A user who was certainly no member (by when changes were asked and answered) was answered NOT_FOUND, whatever they asked.",
  check(evidence, logs) {
    const found: Violation[] = []
    const judge = (conversation: string, who: string, seq: number, line: number) => {
      if (logs.sees(conversation, who, seq)) return
      found.push({
        what: `${who} saw ${seq} of ${conversation}, which is not theirs`,
        lines: [line],
      })
    }
    for (const { open, came } of evidence.subs) {
      for (const event of came) {
        if (event.k === "entry") judge(event.conversation, open.who, event.seq, event.line)
        if (event.k === "receipt" && logs.windows(event.conversation, open.who).length === 0) {
          const what = `${open.who} heard of a receipt in ${event.conversation}, which never was theirs`
          found.push({ what, lines: [event.line] })
        }
      }
    }
    for (const { conversation, who, answer, line } of evidence.pages) {
      if (!("entries" in answer)) continue
      for (const { seq } of answer.entries) judge(conversation, who, seq, line)
    }
    return [...found, ...answered(evidence)]
  },
}

/** What was answered to those who were certainly no members, and refused to those who certainly were. */
function answered(evidence: Evidence): Violation[] {
  const found: Violation[] = []
  const standing = createStandings(evidence)
  const acknowledged = new Set<string>()
  for (const { id, answer } of evidence.sends) if ("seq" in answer) acknowledged.add(id)
  const questions = [
    ...evidence.looks.map((look) => ({ ...look, asked: "for the state" })),
    ...evidence.pages.map((page) => ({ ...page, asked: "for entries" })),
    ...evidence.marks.map((mark) => ({ ...mark, asked: "for a mark to be moved" })),
    // Who has left may still ask what became of a message.
    ...evidence.sends
      .filter(({ id }) => !acknowledged.has(id))
      .map((send) => ({ ...send, asked: "to send" })),
    ...evidence.changes.map((change) => ({ ...change, asked: "for a change of members" })),
  ]
  for (const { conversation, who, t, done, answer, line, asked } of questions) {
    const was = standing(conversation, who, t, done)
    const isAnswered = !("code" in answer) && !("lost" in answer)
    if (was === "out" && isAnswered) {
      const what = `${who}, no member of ${conversation}, asked ${asked} and was answered`
      found.push({ what, lines: [line] })
    }
    const code = "code" in answer ? answer.code : undefined
    // To change others there is more to be found than the conversation.
    const notFound = code === "NOT_FOUND" && !asked.startsWith("for a change")
    if ((was === "in" && notFound) || (was === "out" && code === "FORBIDDEN")) {
      const what = `${who} (${was} ${conversation}) asked ${asked} and was told ${code}`
      found.push({ what, lines: [line] })
    }
  }
  return found
}
