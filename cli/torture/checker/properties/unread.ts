import type { Property, Violation } from "../property.ts"

export const unread: Property = {
  name: "unread",
  definition:
    "Once all is quiet, each member is told the head and the last message of the log, and as many unread messages as others wrote beyond the read mark that they are told.",
  check({ looks, quiet = Number.POSITIVE_INFINITY }, logs) {
    const found: Violation[] = []
    for (const { conversation, who, answer, t, line } of looks) {
      if (t < quiet || !("head" in answer)) continue
      const { head, final } = logs.of(conversation)
      const window = logs.windows(conversation, who).at(-1)
      if (!window) continue
      let count = 0
      let last: number | null = null
      for (let seq = window.from; seq <= head; seq++) {
        const entry = final.get(seq)?.entry
        if (!entry?.message) continue
        last = seq
        if (seq > answer.read && entry.by !== who) count += 1
      }
      const told = `${who} was told of ${conversation}:`
      if (answer.head !== head) {
        found.push({ what: `${told} head ${answer.head} instead of ${head}`, lines: [line] })
      }
      if (answer.unread !== count) {
        const what = `${told} ${answer.unread} unread beyond ${answer.read} instead of ${count}`
        found.push({ what, lines: [line] })
      }
      if (answer.last !== last) {
        const what = `${told} last message ${answer.last} instead of ${last}`
        found.push({ what, lines: [line] })
      }
    }
    return found
  },
}
