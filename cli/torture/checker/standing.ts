import type { Evidence } from "./evidence.ts"

/** Whether a user was a member all through a span of time, was none, or the history cannot tell. */
export type Standing = "in" | "out" | "unknown"

/** What was given up may take effect later, but nothing in the system keeps a request for longer than this, in ms. */
const STILL_ON_ITS_WAY = 60_000

interface Change {
  joins: boolean
  /** It took effect, if at all, after this. */
  t: number
  /** And before this. */
  done: number
  /** Afterwards it was so: because of it, or already before. */
  holds: boolean
}

/**
 * Tells by when things were asked and answered who was a member, without looking into any log: a change counts from its
 * answer, and may count from its question.
 */
export function createStandings(evidence: Evidence) {
  const changes = new Map<string, Change[]>()
  const note = (conversation: string, who: string, change: Change) => {
    const key = `${conversation} ${who}`
    const known = changes.get(key)
    if (known) known.push(change)
    else changes.set(key, [change])
  }
  for (const { conversation, members, t, done } of evidence.groups) {
    for (const who of members) note(conversation, who, { joins: true, t, done, holds: true })
  }
  for (const { conversation, add = [], remove, t, done, answer } of evidence.changes) {
    const holds = "ok" in answer
    const code = "code" in answer ? answer.code : undefined
    const isOpen = "lost" in answer || code === "UNAVAILABLE" || code === "INTERNAL"
    const ended = isOpen ? t + STILL_ON_ITS_WAY : done
    if (holds || isOpen) {
      for (const who of add) note(conversation, who, { joins: true, t, done: ended, holds })
    }
    // An admin is told NOT_FOUND where there is no such member any more.
    const gone = holds || code === "NOT_FOUND"
    if (remove !== undefined && (gone || isOpen)) {
      note(conversation, remove, { joins: false, t, done: ended, holds: gone })
    }
  }

  return function standing(conversation: string, who: string, from: number, to: number): Standing {
    const all = changes.get(`${conversation} ${who}`) ?? []
    if (!all.some(({ joins }) => joins)) return "out"
    for (const settled of all) {
      if (!settled.holds || settled.done >= from) continue
      const undone = all.some(
        ({ joins, t, done }) => joins !== settled.joins && t <= to && done >= settled.t,
      )
      if (!undone) return settled.joins ? "in" : "out"
    }
    return "unknown"
  }
}
