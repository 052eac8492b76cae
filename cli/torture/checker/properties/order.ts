import type { Property, Violation } from "../property.ts"

interface Answered {
  id: string
  t: number
  done: number
  seq: number
  line: number
}

export const order: Property = {
  name: "order",
  definition:
    "What was acknowledged before something else was asked comes before it: a message sent later has a higher seq, and a client that asks for the conversation's head is told no lower one.",
  check({ sends, looks }, logs) {
    const found: Violation[] = []
    const firsts = new Map<string, Answered[]>()
    const begun = new Map<string, number>()
    for (const { conversation, id, t, done, answer, line } of sends) {
      // It may have been stored by any attempt since the first one.
      begun.set(id, Math.min(t, begun.get(id) ?? t))
      if (!("seq" in answer)) continue
      const known = firsts.get(conversation) ?? []
      firsts.set(conversation, known)
      known.push({ id, t, done, seq: answer.seq, line })
    }
    const heads = Map.groupBy(
      looks.filter(({ answer }) => "head" in answer),
      ({ conversation }) => conversation,
    )
    for (const [conversation, answers] of firsts) {
      const before = frontier(answers)
      for (const { id, seq, line } of answers) {
        const earlier = before(begun.get(id)!)
        if (!earlier || earlier.seq < seq) continue
        const what = `${seq} of ${conversation} was sent when ${earlier.seq} had been acknowledged`
        found.push({ what, lines: [earlier.line, line] })
      }
      for (const { t, who, answer, line } of heads.get(conversation) ?? []) {
        const earlier = before(t)
        if (!earlier || !("head" in answer) || answer.head >= earlier.seq) continue
        if (!logs.sees(conversation, who, earlier.seq)) continue
        const what = `${who} was told that ${conversation} ends at ${answer.head} when ${earlier.seq} had been acknowledged`
        found.push({ what, lines: [earlier.line, line] })
      }
    }
    return found
  },
}

/** Tells what the highest seq was that had been acknowledged before a time. */
function frontier(answers: readonly Answered[]): (t: number) => Answered | undefined {
  const steps: Answered[] = []
  for (const answer of answers.toSorted((a, b) => a.done - b.done)) {
    if (answer.seq > (steps.at(-1)?.seq ?? 0)) steps.push(answer)
  }
  return (t) => {
    let [low, high] = [0, steps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (steps[middle]!.done < t) low = middle + 1
      else high = middle
    }
    return steps[low - 1]
  }
}
