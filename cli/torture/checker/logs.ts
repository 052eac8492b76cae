import type { Entry } from "../history/format.ts"
import type { Evidence } from "./evidence.ts"

/** An entry, by whom or what it was seen first. */
export interface Seen {
  entry: Entry
  /** In `history.jsonl`; 0: in the store. */
  line: number
}

/** Two that saw something else at the same place. */
export interface Disagreement {
  conversation: string
  one: Seen
  other: Seen
}

export interface Log {
  conversation: string
  /** Every entry that any reader or the store ever showed. */
  known: Map<number, Seen>
  /** What is in it in the end, as the store holds it, or as members were answered once all was quiet. */
  final: Map<number, Seen>
  /** The newest seq in the end; 0 where there is nothing. */
  head: number
}

/** A stretch of a log that a user may see, both ends included; `to` is infinite for a present member. */
export interface Window {
  from: number
  to: number
}

export interface Logs {
  of(conversation: string): Log
  all: Log[]
  disagreements: Disagreement[]
  /** The stretches that a user may see, in ascending order. */
  windows(conversation: string, who: string): Window[]
  /** Whether a user may see a seq. */
  sees(conversation: string, who: string, seq: number): boolean
}

/** Puts the logs together from everything that was seen of them. */
export function assemble(evidence: Evidence): Logs {
  const logs = new Map<string, Log>()
  const disagreements: Disagreement[] = []

  function of(conversation: string): Log {
    const found = logs.get(conversation)
    if (found) return found
    const made: Log = { conversation, known: new Map(), final: new Map(), head: 0 }
    logs.set(conversation, made)
    return made
  }

  function note(conversation: string, entry: Entry, line: number, isFinal: boolean): void {
    const log = of(conversation)
    const seen = { entry, line }
    const known = log.known.get(entry.seq)
    if (!known) log.known.set(entry.seq, seen)
    else if (!isSame(known.entry, entry)) {
      disagreements.push({ conversation, one: known, other: seen })
    }
    if (!isFinal) return
    log.head = Math.max(log.head, entry.seq)
    if (!log.final.has(entry.seq)) log.final.set(entry.seq, seen)
  }

  for (const line of evidence.store ?? []) {
    if (line.k === "stored") note(line.conversation, line, 0, true)
  }
  const quiet = evidence.quiet ?? Number.POSITIVE_INFINITY
  for (const { conversation, answer, line, t } of evidence.pages) {
    if (!("entries" in answer)) continue
    for (const entry of answer.entries) note(conversation, entry, line, t >= quiet)
  }
  for (const { came } of evidence.subs) {
    for (const event of came) {
      if (event.k === "entry") note(event.conversation, event, event.line, false)
    }
  }

  const windowsOf = new Map<Log, Map<string, Window[]>>()
  function windows(conversation: string, who: string): Window[] {
    const log = of(conversation)
    const known = windowsOf.get(log) ?? membership(log)
    windowsOf.set(log, known)
    return known.get(who) ?? []
  }

  return {
    of,
    get all() {
      return [...logs.values()]
    },
    disagreements,
    windows,
    sees: (conversation, who, seq) =>
      windows(conversation, who).some(({ from, to }) => from <= seq && seq <= to),
  }
}

/** Who was a member when, by the log's own entries. */
function membership(log: Log): Map<string, Window[]> {
  const windows = new Map<string, Window[]>()
  const changes = [...log.known.values()].filter(({ entry }) => entry.members)
  changes.sort((a, b) => a.entry.seq - b.entry.seq)
  for (const { entry } of changes) {
    for (const who of entry.members!.joined) {
      const window = { from: entry.seq, to: Number.POSITIVE_INFINITY }
      windows.set(who, [...(windows.get(who) ?? []), window])
    }
    for (const who of entry.members!.left) {
      const open = windows.get(who)?.at(-1)
      if (open) open.to = entry.seq
    }
  }
  return windows
}

export const isSame = (one: Entry, other: Entry): boolean =>
  one.by === other.by &&
  one.message?.id === other.message?.id &&
  one.message?.text === other.message?.text &&
  isSameList(one.members?.joined, other.members?.joined) &&
  isSameList(one.members?.left, other.members?.left)

const isSameList = (one: string[] = [], other: string[] = []) =>
  one.length === other.length && one.toSorted().join() === other.toSorted().join()

/** The texts of all properties speak of entries so. */
export const describe = ({ message, members, by }: Entry): string =>
  message
    ? `message ${message.id} «${message.text}» by ${by}`
    : `members +[${members?.joined}] −[${members?.left}] by ${by}`
