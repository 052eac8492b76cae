import type { Property, Violation } from "../property.ts"

interface Marks {
  t: number
  done: number
  delivered: number
  read: number
  line: number
}

export const watermarks: Property = {
  name: "watermarks",
  definition:
    "Once a member's marks were answered, told or read, every later answer says as much or more. A moved mark is at least where its member asked it to be, and no mark is higher than its member asked.",
  check({ marks, looks, subs, store = [] }, logs) {
    const found: Violation[] = []
    const observed = new Map<string, Marks[]>()
    const asked = new Map<string, { delivered: number; read: number }>()
    const note = (conversation: string, who: string, seen: Marks) => {
      const key = `${conversation} ${who}`
      const known = observed.get(key)
      if (known) known.push(seen)
      else observed.set(key, [seen])
    }
    for (const { conversation, who, mark, seq, answer, t, done, line } of marks) {
      const key = `${conversation} ${who}`
      const before = asked.get(key) ?? { delivered: 0, read: 0 }
      const read = mark === "read" ? Math.max(before.read, seq) : before.read
      asked.set(key, { delivered: Math.max(before.delivered, seq), read })
      if (!("read" in answer)) continue
      note(conversation, who, { t, done, line, ...answer })
      if (answer[mark] >= seq) continue
      const what = `${who} marked ${seq} of ${conversation} as ${mark} and was answered ${answer[mark]}`
      found.push({ what, lines: [line] })
    }
    for (const { conversation, who, answer, t, done, line } of looks) {
      if (!("head" in answer)) continue
      const { delivered, read } = answer
      note(conversation, who, { t, done, line, delivered, read })
    }
    for (const { came } of subs) {
      for (const event of came) {
        if (event.k !== "receipt") continue
        const { conversation, member, delivered, read, t, line } = event
        // It may have been under way for long: it says nothing about what was so before it was seen.
        note(conversation, member, { t: Number.NEGATIVE_INFINITY, done: t, line, delivered, read })
      }
    }
    for (const line of store) {
      if (line.k !== "member") continue
      const { conversation, who, delivered, read } = line
      const end = Number.POSITIVE_INFINITY
      note(conversation, who, { t: end, done: end, line: 0, delivered, read })
    }

    for (const [key, all] of observed) {
      const [conversation = "", who = ""] = key.split(" ")
      const joined = logs.windows(conversation, who).map(({ from }) => from)
      for (const mark of ["delivered", "read"] as const) {
        const byDone = all.toSorted((a, b) => a.done - b.done)
        let highest: Marks | undefined
        let next = 0
        for (const seen of all.toSorted((a, b) => a.t - b.t)) {
          for (; next < byDone.length && byDone[next]!.done < seen.t; next++) {
            if (!highest || byDone[next]![mark] > highest[mark]) highest = byDone[next]
          }
          if (highest && seen[mark] < highest[mark]) {
            const what = `${who}'s ${mark} mark in ${conversation} went back from ${highest[mark]} to ${seen[mark]}`
            found.push({ what, lines: [highest.line, seen.line] })
          }
          const allowed = Math.max(asked.get(key)?.[mark] ?? 0, ...joined)
          if (seen[mark] > allowed) {
            const what = `${who}'s ${mark} mark in ${conversation} is ${seen[mark]}; its member asked for no more than ${allowed}`
            found.push({ what, lines: [seen.line] })
          }
        }
      }
    }
    return found
  },
}
