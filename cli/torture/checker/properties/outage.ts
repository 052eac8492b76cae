import type { Evidence, FaultSpan, Sub } from "../evidence.ts"
import type { Logs } from "../logs.ts"
import type { Property, Violation } from "../property.ts"
import { firstFrom, follow, type Reading } from "../readers.ts"

/** So soon a message reaches its readers while the bus is away, in ms. */
export const ARRIVES_WITHIN = 3_000
/** The share of the messages, and of the sessions, that may be later. */
const LATE_SHARE = 0.01
/** What the faults of the bus alone are done to: the process, and the way to it. */
const BUS = /^(the broker|to the broker)$/

/** Something that was waited for, and how long, in ms; infinite where it never came. */
interface Wait {
  took: number
  line: number
  what: string
}

export const outage: Property = {
  name: "outage",
  definition: `While nothing but the bus is away, 99 of 100 acknowledged messages reach each member's reader that is ready within ${ARRIVES_WITHIN / 1000} s, whichever nodes the two are on, and 99 of 100 sessions are ready as soon.`,
  check(evidence, logs) {
    const readings = follow(evidence, logs)
    return evidence.faults.flatMap((fault) => {
      if (!fault.alone || fault.healed === undefined || !BUS.test(fault.target)) return []
      const span = { ...fault, healed: fault.healed }
      return [
        ...judge(span, arrivals(evidence, logs, readings, span)),
        ...judge(span, sessions(evidence, span)),
      ]
    })
  },
}

type Span = FaultSpan & { healed: number }

function judge({ fault, name, line }: Span, waits: readonly Wait[]): Violation[] {
  const late = waits.filter(({ took }) => took > ARRIVES_WITHIN)
  if (late.length <= waits.length * LATE_SHARE) return []
  const worst = late.reduce((a, b) => (b.took > a.took ? b : a))
  const took = Number.isFinite(worst.took) ? `after ${(worst.took / 1000).toFixed(1)} s` : "never"
  const what = `during fault ${fault} (${name}) ${late.length} of ${waits.length} were late: ${worst.what} ${took}`
  return [{ what, lines: [line, worst.line] }]
}

/** Each message that was acknowledged meanwhile, at each reader that was ready for it. */
function arrivals(
  evidence: Evidence,
  logs: Logs,
  readings: readonly Reading[],
  { t, healed }: Span,
): Wait[] {
  const waits: Wait[] = []
  for (const { conversation, done, answer, line } of evidence.sends) {
    if (done < t || done > healed || !("seq" in answer)) continue
    for (const reading of readings) {
      const { who, reader, resumes, progress, subs } = reading
      if (!resumes || !logs.sees(conversation, who, answer.seq)) continue
      if (wasAway(evidence, reader, done) || !isReady(subs, done)) continue
      const step = firstFrom(progress.get(conversation) ?? [], answer.seq)
      const took = (step?.t ?? Number.POSITIVE_INFINITY) - done
      waits.push({ took, line, what: `${reader} got ${answer.seq} of ${conversation}` })
    }
  }
  return waits
}

/** Each subscription that was opened meanwhile, and not given up before its time. */
function sessions({ subs, absences }: Evidence, { t, healed }: Span): Wait[] {
  return subs.flatMap(({ open, came, closed }) => {
    if (open.t < t || open.t > healed || wasAway({ absences }, open.reader, open.t)) return []
    const ready = came.find(({ k }) => k === "ready")
    if (!ready && closed && closed.t - open.t <= ARRIVES_WITHIN) return []
    const took = (ready?.t ?? Number.POSITIVE_INFINITY) - open.t
    return [{ took, line: open.line, what: `subscription ${open.sub} of ${open.reader} was ready` }]
  })
}

/** Whether it was gone by its own will at any time while it was to get something. */
const wasAway = ({ absences }: Pick<Evidence, "absences">, reader: string, from: number) =>
  (absences.get(reader) ?? []).some(([since, to]) => since <= from + ARRIVES_WITHIN && to >= from)

/** Whether it was subscribed and ready then, with nothing to be loaded anew. */
const isReady = (subs: readonly Sub[], at: number) =>
  subs.some(({ open, came, closed }) => {
    if (open.t > at || (closed && closed.t <= at)) return false
    const ready = came.find((event) => event.k === "ready")
    return ready !== undefined && ready.t <= at && ready.reload.length === 0
  })
