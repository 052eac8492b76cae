import type { Evidence, FaultSpan } from "../evidence.ts"
import type { Logs } from "../logs.ts"
import type { Property, Violation } from "../property.ts"
import { firstFrom, follow, type Reading } from "../readers.ts"
import { OPEN } from "./origin.ts"

/** Everyone is to have caught up so soon after a single fault, in ms. */
export const CAUGHT_UP_WITHIN = 10_000

/** A subscription that ends so soon after a fault, in ms, is one of its victims. */
const LASTING = 500

/** How long the last one took to have all that had been acknowledged, or to know what became of what they sent, when a fault ended. */
export interface CatchUp {
  fault: FaultSpan & { healed: number }
  /** In ms; infinite where a person never caught up. */
  took: number
  /** The last person to catch up. */
  last: string
}

export const recovery: Property = {
  name: "recovery",
  definition: `${CAUGHT_UP_WITHIN / 1000} s after the end of a single fault, every reader that is not away of its own will is subscribed and ready, and has got all that had been acknowledged by that end, and every writer that was sending a message by then knows what became of it.`,
  check(evidence, logs) {
    return catchUps(evidence, logs).flatMap(({ fault, took, last }): Violation[] => {
      if (!fault.alone || took <= CAUGHT_UP_WITHIN) return []
      const seconds =
        took === Number.POSITIVE_INFINITY ? "never" : `after ${(took / 1000).toFixed(1)} s`
      const what = `${last} caught up ${seconds} when fault ${fault.fault} (${fault.name}, ${fault.target}) had ended`
      return [{ what, lines: [fault.line] }]
    })
  },
}

/** For each fault that ended. */
export function catchUps(evidence: Evidence, logs: Logs): CatchUp[] {
  const readings = follow(evidence, logs)
  const acknowledged = evidence.sends
    .flatMap(({ conversation, done, answer }) =>
      "seq" in answer ? [{ conversation, t: done, seq: answer.seq }] : [],
    )
    .sort((a, b) => a.t - b.t)
  const sent = sendings(evidence)
  return evidence.faults.flatMap((fault) => {
    const { healed } = fault
    if (healed === undefined) return []
    const due = new Map<string, number>()
    for (const { conversation, t, seq } of acknowledged) {
      if (t > healed) break
      due.set(conversation, Math.max(seq, due.get(conversation) ?? 0))
    }
    const slowest = { fault: { ...fault, healed }, took: 0, last: "" }
    for (const reading of readings) {
      if (wasAway(evidence, reading, healed)) continue
      const heard = reading.resumes ? timeOf(reading, due, logs) : healed
      const took = Math.max(heard, readyFrom(reading, healed, evidence.asked)) - healed
      if (took > slowest.took) Object.assign(slowest, { took, last: reading.reader })
    }
    for (const { who, begun, known } of sent) {
      if (begun > healed || known - healed <= slowest.took) continue
      Object.assign(slowest, { took: known - healed, last: `${who}, who was sending,` })
    }
    return [slowest]
  })
}

/** Each message from its first attempt until its outcome was known. Outsiders try once and do not care. */
function sendings({ sends, people }: Evidence) {
  const sendings = new Map<string, { who: string; begun: number; known: number }>()
  for (const { id, who, t, done, answer } of sends) {
    if (people.get(who)?.outsider) continue
    const sending = sendings.get(id) ?? { who, begun: t, known: Number.POSITIVE_INFINITY }
    sendings.set(id, sending)
    sending.begun = Math.min(sending.begun, t)
    const isKnown = "seq" in answer || ("code" in answer && !OPEN.test(answer.code))
    if (isKnown) sending.known = Math.min(sending.known, done)
  }
  return [...sendings.values()]
}

/** Whether a reader went away or came back meanwhile: then it had more than the fault to catch up with. */
const wasAway = (evidence: Evidence, { reader }: Reading, healed: number) =>
  (evidence.absences.get(reader) ?? []).some(
    ([from, to]) => from <= healed + CAUGHT_UP_WITHIN && to >= healed,
  )

/** When a reader was ready again, or for the first time, or still. The end of the run (`asked`) ends no subscription. */
function readyFrom({ subs }: Reading, healed: number, asked = Number.POSITIVE_INFINITY): number {
  for (const { came, closed } of subs) {
    if (closed && closed.t <= healed) continue
    const ready = came.find(({ k }) => k === "ready")
    // One that does not last was none.
    const lasted = !closed || closed.t > healed + LASTING || closed.t >= asked
    if (ready && lasted) return Math.max(healed, ready.t)
  }
  return Number.POSITIVE_INFINITY
}

/** When a reader had everything that was due to it. */
function timeOf({ who, progress }: Reading, due: Map<string, number>, logs: Logs): number {
  let latest = 0
  for (const [conversation, seq] of due) {
    if (!logs.sees(conversation, who, seq)) continue
    const steps = progress.get(conversation) ?? []
    // A former member need not hear of a conversation that this reader never heard of.
    const isMember = logs.windows(conversation, who).at(-1)?.to === Number.POSITIVE_INFINITY
    if (steps.length === 0 && !isMember) continue
    const step = firstFrom(steps, seq)
    latest = Math.max(latest, step?.t ?? Number.POSITIVE_INFINITY)
  }
  return latest
}
