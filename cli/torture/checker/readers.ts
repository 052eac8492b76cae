import type { EntryLine } from "../history/format.ts"
import type { Evidence, Sub } from "./evidence.ts"
import { createJoinings, type Joinings } from "./joinings.ts"
import type { Logs } from "./logs.ts"
import type { Violation } from "./property.ts"

/** How far a reader had come in one conversation, and since when. */
export interface Step {
  t: number
  seq: number
}

/** One device across all its subscriptions. */
export interface Reading {
  reader: string
  who: string
  /** Goes on from its positions; or hears only what happens while it is there. */
  resumes: boolean
  subs: Sub[]
  /** By conversation, in ascending order of both. */
  progress: Map<string, Step[]>
  /** From where it resumes, by conversation: without what was being loaded when its subscription ended. */
  kept: Map<string, number>
  /** What was not as it had to be. */
  violations: Violation[]
}

/** Follows each reader through what it saw, and notes where that was not the next thing that it had to see. */
export function follow(evidence: Evidence, logs: Logs): Reading[] {
  const readings = new Map<string, Reading>()
  for (const sub of evidence.subs) {
    const { reader, who, after } = sub.open
    const known = readings.get(reader)
    if (known) known.subs.push(sub)
    else {
      const empty = { progress: new Map(), kept: new Map(), violations: [] }
      readings.set(reader, { reader, who, resumes: after !== null, subs: [sub], ...empty })
    }
  }
  const joinings = createJoinings(evidence)
  for (const reading of readings.values()) {
    for (const sub of reading.subs) followSub(reading, sub, logs, joinings)
  }
  return [...readings.values()]
}

function followSub(reading: Reading, sub: Sub, logs: Logs, joinings: Joinings): void {
  const { who, reader, resumes, progress, kept, violations } = reading
  const blame = (what: string, ...lines: number[]): void => {
    violations.push({ what: `${reader} (subscription ${sub.open.sub}) ${what}`, lines })
  }
  /** Where it stands in this subscription. */
  const positions = new Map(Object.entries(sub.open.after ?? {}))
  const begun = new Set<string>()
  /** Conversations that it was told to load: live entries may be ahead of what it has loaded. */
  const reloading = new Set<string>()
  /** How far it has loaded, and the newest that it was told: a question may overtake events, but events not each other. */
  const loaded = new Map<string, number>()
  const told = new Map<string, number>()
  /** When Ready came; undefined where it has not yet. */
  let ready: number | undefined

  for (const [conversation, position] of positions) {
    const reached = kept.get(conversation)
    if (reached !== position) {
      blame(`resumes ${conversation} from ${position}, having seen up to ${reached}`, sub.open.line)
    }
  }

  /** What is wrong with the next entry; undefined where it is the one that had to come. */
  function faultOf(entry: EntryLine): string | undefined {
    const { conversation, seq } = entry
    const isNews = seq > (told.get(conversation) ?? 0)
    if (isNews && seq <= (loaded.get(conversation) ?? 0)) return undefined
    const position = positions.get(conversation)
    if (position === undefined) {
      const begins = logs.windows(conversation, who).some(({ from }) => from === seq)
      if (!resumes || begins) return undefined
      return `got ${seq} as the first of ${conversation}, where nothing of theirs begins`
    }
    if (seq <= position) return `got ${seq} of ${conversation} again, or late: it had ${position}`
    if (seq === position + 1 || mayJump(entry, position)) return undefined
    return `got ${seq} of ${conversation} after ${position}: ${seq - position - 1} are missing`
  }

  /**
   * A member who comes back sees nothing of what happened in between, and a reader who loads may hear what is ahead of it.
   * A member who came back before the replay was over is sent nothing of the time before, their leaving included. One who
   * comes back later has been told of the leaving first, by the replay or live.
   */
  function mayJump(entry: EntryLine, position: number): boolean {
    const { conversation, seq, members } = entry
    if (reloading.has(conversation)) return true
    if (!members?.joined.includes(who)) return false
    const windows = logs.windows(conversation, who)
    if (windows.some(({ to }) => to === position)) return true
    if (begun.has(conversation)) return false
    const nth = windows.findIndex(({ from }) => from === seq)
    return ready === undefined || joinings(conversation, who, nth) <= ready
  }

  function advance(conversation: string, seq: number, t: number): void {
    positions.set(conversation, Math.max(seq, positions.get(conversation) ?? 0))
    const steps = progress.get(conversation) ?? []
    progress.set(conversation, steps)
    if (seq > (steps.at(-1)?.seq ?? 0)) steps.push({ t, seq })
  }

  // What is answered after the end is thrown away.
  const end = sub.closed?.t ?? Number.POSITIVE_INFINITY
  const loads = sub.pages
    .filter(({ done }) => done <= end)
    .map((page) => ({ k: "page" as const, at: page.done, page }))
  const events = sub.came.map((event) => ({ k: "event" as const, at: event.t, event }))
  for (const happened of [...events, ...loads].sort((a, b) => a.at - b.at)) {
    if (happened.k === "page") {
      const { conversation, answer, done, after, line } = happened.page
      if (!("entries" in answer)) {
        if ("code" in answer && answer.code === "NOT_FOUND") reloading.delete(conversation)
        continue
      }
      const last = answer.entries.at(-1)?.seq
      if (last === undefined) continue
      if (
        answer.entries[0]!.seq > after + 1 &&
        !logs.windows(conversation, who).some(({ from }) => from === answer.entries[0]!.seq)
      ) {
        blame(`loaded ${conversation} after ${after} and got ${answer.entries[0]!.seq}`, line)
      }
      if (last >= (answer.head ?? 0)) {
        reloading.delete(conversation)
        kept.set(conversation, last)
      }
      advance(conversation, last, done)
      loaded.set(conversation, Math.max(last, loaded.get(conversation) ?? 0))
      continue
    }
    const { event } = happened
    if (event.k === "ready") {
      if (ready !== undefined) blame("was told Ready twice", event.line)
      if (event.recovered !== (event.reload.length === 0)) {
        blame("was told Ready with recovered and reload at odds", event.line)
      }
      ready ??= event.t
      for (const conversation of event.reload) reloading.add(conversation)
    } else if (event.k === "entry") {
      if (ready === undefined && !resumes) {
        blame("got an entry before Ready, having asked for none", event.line)
      }
      const fault = faultOf(event)
      if (fault) blame(fault, event.line)
      begun.add(event.conversation)
      told.set(event.conversation, Math.max(event.seq, told.get(event.conversation) ?? 0))
      if (!reloading.has(event.conversation)) {
        advance(event.conversation, event.seq, event.t)
        kept.set(event.conversation, event.seq)
      } else if (event.seq > (loaded.get(event.conversation) ?? 0)) {
        positions.set(event.conversation, event.seq)
      }
    } else if (ready === undefined) blame("heard of a receipt before Ready", event.line)
  }
}

/** The first step that got as far as a seq. */
export function firstFrom(steps: readonly Step[], seq: number): Step | undefined {
  let [low, high] = [0, steps.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps[middle]!.seq < seq) low = middle + 1
    else high = middle
  }
  return steps[low]
}
