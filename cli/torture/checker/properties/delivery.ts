import type { Evidence } from "../evidence.ts"
import type { Logs } from "../logs.ts"
import type { Property, Violation } from "../property.ts"
import { follow, type Reading } from "../readers.ts"

export const delivery: Property = {
  name: "delivery",
  definition:
    "Every reader got each entry of its conversations exactly once, in the log's order, without holes, across all its subscriptions, from its first position to the head of the log; Ready came once per subscription, before anything live.",
  check(evidence, logs) {
    const found: Violation[] = []
    for (const reading of follow(evidence, logs)) {
      found.push(...reading.violations)
      if (evidence.quiet !== undefined)
        found.push(...atTheEnd(reading, evidence.quiet, evidence, logs))
    }
    return found
  },
}

/** What a reader lacks once all is quiet. */
function atTheEnd(reading: Reading, quiet: number, evidence: Evidence, logs: Logs): Violation[] {
  const { reader, who, resumes, progress, subs } = reading
  const last = subs.at(-1)!
  const isGone = last.closed !== undefined && last.closed.t < quiet
  const ready = last.came.find(({ k }) => k === "ready")
  if (isGone || !ready) {
    const what = `${reader} is not connected, or not ready, though all is quiet`
    return [{ what, lines: [last.closed?.line ?? last.open.line] }]
  }
  const found: Violation[] = []
  for (const { conversation, head } of logs.all) {
    const window = logs.windows(conversation, who).at(-1)
    const reached = progress.get(conversation)?.at(-1)?.seq
    if (!window) continue
    const isMember = window.to === Number.POSITIVE_INFINITY
    // Who has left a conversation that this reader never heard of need not hear of it.
    if (!isMember && reached === undefined) continue
    const due = resumes ? (isMember ? head : window.to) : dueToListener(conversation)
    if (due === undefined || (reached ?? 0) >= due) continue
    const what = `${reader} never got ${conversation} after ${reached ?? "its joining"}: it ends, for them, at ${due}`
    found.push({ what, lines: [last.open.line] })
  }
  return found

  /** A reader that resumes nothing is due the messages that were sent after it was ready, and acknowledged. */
  function dueToListener(conversation: string): number | undefined {
    const seqs = evidence.sends.flatMap(({ conversation: in_, t, answer }) =>
      in_ === conversation && t > ready!.t && "seq" in answer ? [answer.seq] : [],
    )
    const theirs = seqs.filter((seq) => logs.sees(conversation, who, seq))
    return theirs.length > 0 ? theirs.reduce((a, b) => Math.max(a, b)) : undefined
  }
}
