import { createReadStream, existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type {
  ChangeLine,
  EntryLine,
  FaultLine,
  GroupLine,
  Line,
  LookLine,
  MarkLine,
  OpenLine,
  PageLine,
  ReadyLine,
  ReceiptLine,
  RunLine,
  SendLine,
  StoreLine,
} from "../history/format.ts"

/** Something of a history, and where it is written. */
export type At<T> = T & { line: number }

/** One subscription with all that came of it, in order. */
export interface Sub {
  open: At<OpenLine>
  came: At<EntryLine | ReadyLine | ReceiptLine>[]
  pages: At<PageLine>[]
  closed: { t: number; line: number } | undefined
}

export interface FaultSpan extends At<FaultLine> {
  healed: number | undefined
}

/** A history, sorted by what its lines are about. */
export interface Evidence {
  /** What the run was to be; undefined where the history does not say so. */
  run: RunLine | undefined
  people: Map<string, { outsider: boolean }>
  groups: At<GroupLine>[]
  sends: At<SendLine>[]
  changes: At<ChangeLine>[]
  marks: At<MarkLine>[]
  looks: At<LookLine>[]
  pages: At<PageLine>[]
  /** In the order in which they were opened. */
  subs: Sub[]
  /** When a reader was away of its own will: from, to. */
  absences: Map<string, [number, number][]>
  faults: FaultSpan[]
  /** When all writers had stopped; undefined where the run did not come so far. */
  quiet: number | undefined
  /** From here on the run was over, and its readers hung up; undefined where it did not come so far. */
  asked: number | undefined
  /** What the store itself holds; undefined where it was not read. */
  store: StoreLine[] | undefined
}

/** Sorts lines; the first one has the number 1. */
export function gather(lines: Iterable<Line>, store?: Iterable<StoreLine>): Evidence {
  const gatherer = createGatherer()
  for (const line of lines) gatherer.take(line)
  return gatherer.finish(store && [...store])
}

/** Reads `history.jsonl` and, where there is one, `store.jsonl` of a run's folder. */
export async function readEvidence(folder: string): Promise<Evidence> {
  const gatherer = createGatherer()
  for await (const line of linesOf<Line>(join(folder, "history.jsonl"))) gatherer.take(line)
  const file = join(folder, "store.jsonl")
  if (!existsSync(file)) return gatherer.finish(undefined)
  const store: StoreLine[] = []
  for await (const line of linesOf<StoreLine>(file)) store.push(line)
  return gatherer.finish(store)
}

async function* linesOf<T>(file: string): AsyncGenerator<T> {
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (text !== "") yield JSON.parse(text) as T
  }
}

function createGatherer() {
  const evidence: Evidence = {
    run: undefined,
    people: new Map(),
    groups: [],
    sends: [],
    changes: [],
    marks: [],
    looks: [],
    pages: [],
    subs: [],
    absences: new Map(),
    faults: [],
    quiet: undefined,
    asked: undefined,
    store: undefined,
  }
  const subs = new Map<number, Sub>()
  let number = 0

  function subOf(id: number): Sub {
    const sub = subs.get(id)
    if (!sub) throw new Error(`line ${number} speaks of subscription ${id}, which no reader opened`)
    return sub
  }

  function take(read: Line): void {
    number += 1
    const line = number
    switch (read.k) {
      case "run":
        evidence.run = read
        break
      case "person":
        evidence.people.set(read.who, { outsider: read.outsider })
        break
      case "group":
        evidence.groups.push({ ...read, line })
        break
      case "send":
        evidence.sends.push({ ...read, line })
        break
      case "change":
        evidence.changes.push({ ...read, line })
        break
      case "mark":
        evidence.marks.push({ ...read, line })
        break
      case "look":
        evidence.looks.push({ ...read, line })
        break
      case "page": {
        const page = { ...read, line }
        evidence.pages.push(page)
        if (read.sub !== undefined) subOf(read.sub).pages.push(page)
        break
      }
      case "open": {
        const sub: Sub = { open: { ...read, line }, came: [], pages: [], closed: undefined }
        subs.set(read.sub, sub)
        evidence.subs.push(sub)
        break
      }
      case "entry":
      case "ready":
      case "receipt":
        subOf(read.sub).came.push({ ...read, line })
        break
      case "close":
        subOf(read.sub).closed = { t: read.t, line }
        break
      case "away": {
        const spans = evidence.absences.get(read.reader) ?? []
        evidence.absences.set(read.reader, [...spans, [read.t, Number.POSITIVE_INFINITY]])
        break
      }
      case "back": {
        const span = evidence.absences.get(read.reader)?.at(-1)
        if (span) span[1] = read.t
        break
      }
      case "fault":
        evidence.faults.push({ ...read, line, healed: undefined })
        break
      case "healed": {
        const fault = evidence.faults.find(({ fault }) => fault === read.fault)
        if (fault) fault.healed = read.t
        break
      }
      case "quiet":
        evidence.quiet = read.t
        break
      case "asked":
        evidence.asked = read.t
        break
    }
  }

  return {
    take,
    finish: (store: StoreLine[] | undefined): Evidence => ({ ...evidence, store }),
  }
}
