import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { EntryLine, Line, SendLine } from "../history/format.ts"
import { createRandom } from "../random.ts"
import { check, PROPERTIES } from "./check.ts"
import { gather } from "./evidence.ts"
import { type History, simulate } from "./test/simulation.ts"

const violated = ({ lines, store }: History) =>
  check(gather(lines, store))
    .filter(({ violations }) => violations.length > 0)
    .map(({ property }) => property.name)

const seeds = fc.integer().map(String)

/** CHECKER_RUNS multiplies how many histories are tried; CHECKER_SEED is what a failure names to be repeated. */
const { CHECKER_SEED, CHECKER_RUNS = "1" } = process.env

/** Tries a property on histories that are others in each run of this file. A failure says how to see the same ones again. */
function holds<Ts>(property: fc.IRawProperty<Ts>, runs = 100): void {
  fc.assert(property, {
    numRuns: runs * Number(CHECKER_RUNS),
    seed: CHECKER_SEED === undefined ? undefined : Number(CHECKER_SEED),
    reporter(details) {
      if (!details.failed) return
      const again = `CHECKER_SEED=${details.seed} CHECKER_RUNS=${CHECKER_RUNS} bun test cli/torture/checker`
      throw new Error(`${fc.defaultReportMessage(details)}\n\nTo repeat it: ${again}`)
    },
  })
}

test("a history without a fault violates nothing", () => {
  holds(
    fc.property(seeds, fc.integer({ min: 0, max: 400 }), (seed, steps) => {
      const { lines, store } = simulate(seed, steps)
      const found = check(gather(lines, store)).flatMap(({ violations }) => violations)
      expect(found).toEqual([])
    }),
    200,
  )
})

test("in what order those who saw different things wrote them down changes nothing", () => {
  holds(
    fc.property(seeds, (seed) => {
      const history = simulate(seed)
      expect(violated({ ...history, lines: interleaved(history.lines, seed) })).toEqual([])
    }),
  )
})

/** What one reader saw stays in order; between readers, and between operations, chance decides. */
function interleaved(lines: Line[], seed: string): Line[] {
  const random = createRandom(`interleaved ${seed}`)
  const readers = new Map<number, string>()
  const streams = Map.groupBy(lines, (line) => {
    if (line.k === "open") readers.set(line.sub, line.reader)
    if ("sub" in line) return readers.get(line.sub!)
    return "who" in line ? `${line.k} ${line.who}` : line.k
  })
  const waiting = [...streams.values()].map((stream) => [...stream])
  const mixed: Line[] = []
  while (mixed.length < lines.length) {
    mixed.push(random.pick(waiting.filter((stream) => stream.length > 0)).shift()!)
  }
  return mixed
}

/** The same 5 s later, to its end. */
const delayed = (line: Line) => ({
  t: line.t + 5_000,
  ...("done" in line && { done: line.done + 5_000 }),
})

/** A way to spoil a history; undefined where there is nothing in it to be spoiled so. */
type Spoiler = (history: History, random: ReturnType<typeof createRandom>) => History | undefined

const isEntry = (line: Line): line is EntryLine => line.k === "entry"
const isAcknowledged = (line: Line): line is SendLine => line.k === "send" && "seq" in line.answer

/** Replaces one of the lines that fit by others. */
const spoil =
  <L extends Line>(fits: (line: Line) => line is L, replace: (line: L) => Line[]): Spoiler =>
  ({ lines, store }, random) => {
    const candidates = lines.filter(fits)
    if (candidates.length === 0) return undefined
    const chosen = random.pick(candidates)
    return { store, lines: lines.flatMap((line) => (line === chosen ? replace(chosen) : [line])) }
  }

const spoilStore =
  (replace: (line: History["store"][number]) => History["store"]): Spoiler =>
  ({ lines, store }, random) => {
    // Only the acknowledgement could tell that the last one is missing.
    const messages = store.flatMap((line) => (line.k === "stored" && line.message ? [line] : []))
    const head = Math.max(...store.map((line) => (line.k === "stored" ? line.seq : 0)))
    const inside = messages.filter(({ seq }) => seq < head)
    if (inside.length === 0) return undefined
    const chosen = random.pick(inside)
    // No reader was asked for the whole log: the store alone tells.
    const rest = lines.filter(({ k }) => k !== "page")
    return { lines: rest, store: store.flatMap((line) => (line === chosen ? replace(line) : line)) }
  }

const lowered = (line: Line & { k: "mark" }): Line[] => [
  { ...line, answer: { delivered: line.seq - 1, read: 0 } },
]

const SPOILERS: Record<string, [property: string, Spoiler]> = {
  "an acknowledged message is not in the log": ["durable", spoilStore(() => [])],
  "a hole in the log": ["whole", spoilStore(() => [])],
  "an acknowledged message is in the log with another text": [
    "durable",
    spoilStore((line) =>
      line.k === "stored" ? [{ ...line, message: { ...line.message!, text: "forged" } }] : [],
    ),
  ],
  "a message is in the log twice": [
    "durable",
    ({ lines, store }, random) => {
      const messages = store.flatMap((line) => (line.k === "stored" && line.message ? [line] : []))
      if (messages.length === 0) return undefined
      const head = Math.max(...store.map((line) => (line.k === "stored" ? line.seq : 0)))
      return { lines, store: [...store, { ...random.pick(messages), seq: head + 1 }] }
    },
  ],
  "a message without a sender": [
    "origin",
    ({ lines, store }, random) => {
      const acknowledged = lines.filter(isAcknowledged)
      if (acknowledged.length === 0) return undefined
      const { id } = random.pick(acknowledged)
      return { store, lines: lines.filter((line) => line.k !== "send" || line.id !== id) }
    },
  ],
  "a message that was refused": [
    "origin",
    ({ lines, store }, random) => {
      const acknowledged = lines.filter(isAcknowledged)
      if (acknowledged.length === 0) return undefined
      const { id } = random.pick(acknowledged)
      const refuse = (line: Line): Line =>
        line.k === "send" && line.id === id ? { ...line, answer: { code: "NOT_FOUND" } } : line
      return { store, lines: lines.map(refuse) }
    },
  ],
  "a reader lacks an entry": [
    "delivery",
    ({ lines, store }, random) => {
      // A reader that resumes nothing may have missed the first entries.
      const resuming = new Set(lines.flatMap((l) => (l.k === "open" && l.after ? [l.sub] : [])))
      const entries = lines.filter(isEntry).filter(({ sub }) => resuming.has(sub))
      if (entries.length === 0) return undefined
      const chosen = random.pick(entries)
      return { store, lines: lines.filter((line) => line !== chosen) }
    },
  ],
  "a reader gets an entry twice": ["delivery", spoil(isEntry, (line) => [line, line])],
  "two entries come in the wrong order": [
    "delivery",
    ({ lines, store }, random) => {
      const pairs = lines.flatMap((line, index) => {
        const next = lines[index + 1]
        return isEntry(line) && next && isEntry(next) && line.sub === next.sub ? [index] : []
      })
      if (pairs.length === 0) return undefined
      const at = random.pick(pairs)
      const [one, other] = [lines[at] as EntryLine, lines[at + 1] as EntryLine]
      const swapped = [
        { ...other, t: one.t },
        { ...one, t: other.t },
      ]
      return { store, lines: lines.toSpliced(at, 2, ...swapped) }
    },
  ],
  "Ready comes twice": [
    "delivery",
    spoil(
      (line): line is Line & { k: "ready" } => line.k === "ready",
      (line) => [line, line],
    ),
  ],
  "a reader sees another text": [
    "agreement",
    spoil(isEntry, (line) => [{ ...line, by: "somebody else" }]),
  ],
  "an id is acknowledged with two texts": [
    "identity",
    spoil(isAcknowledged, (line) => {
      const text = "another text"
      const answer = "seq" in line.answer ? { ...line.answer, text } : line.answer
      return [line, { ...line, text, answer }]
    }),
  ],
  "an outsider hears an entry": [
    "privacy",
    spoil(isEntry, (line) => [
      line,
      { k: "open", t: line.t, sub: 999, reader: "spy", who: "mallory", after: null },
      { k: "ready", t: line.t, sub: 999, recovered: true, reload: [] },
      { ...line, sub: 999 },
    ]),
  ],
  "an outsider is answered": [
    "privacy",
    spoil(
      (line): line is Line & { k: "look" } => line.k === "look" && line.who === "mallory",
      (line) => [{ ...line, answer: { head: 1, delivered: 1, read: 1, unread: 0, last: null } }],
    ),
  ],
  "a removed member still hears": [
    "privacy",
    ({ lines, store }) => {
      const change = lines.find((line) => line.k === "change" && line.remove !== undefined)
      const left = lines.find(
        (line): line is EntryLine => isEntry(line) && (line.members?.left.length ?? 0) > 0,
      )
      const after = lines.find((line) => isEntry(line) && left && line.seq === left.seq + 1)
      if (!change || !left || !after || !isEntry(after)) return undefined
      if (after.members) return undefined
      const spy = { k: "open", t: 0, sub: 999, reader: "spy", who: "dora", after: null } as const
      return { store, lines: [spy, ...lines, { ...after, sub: 999 }] }
    },
  ],
  "a message is sent after another one and comes before it": [
    "order",
    ({ lines, store }) => {
      const [one, other] = lines.filter(isAcknowledged)
      if (!one || !other || !("seq" in one.answer) || one.id === other.id) return undefined
      const late: SendLine = { ...one, t: other.done + 0.1, done: other.done + 0.2 }
      const rest = lines.filter((line) => line.k !== "send" || line.id !== one.id)
      return { store, lines: [...rest, late] }
    },
  ],
  "a mark is lower than it was asked to be": [
    "watermarks",
    spoil((line): line is Line & { k: "mark" } => line.k === "mark", lowered),
  ],
  "a mark is higher than its member asked for": [
    "watermarks",
    ({ lines, store }) => {
      const raised = store.map((line) => (line.k === "member" ? { ...line, read: 999 } : line))
      return { lines, store: raised }
    },
  ],
  "a mark went back before the end": [
    "watermarks",
    ({ lines, store }) => {
      const lowered = store.map((line) => (line.k === "member" ? { ...line, delivered: 0 } : line))
      return { lines, store: lowered }
    },
  ],
  "unread counts are wrong in the end": [
    "unread",
    ({ lines, store }) => {
      const quiet = lines.findIndex(({ k }) => k === "quiet")
      const wrong = lines.map((line, index) =>
        index > quiet && line.k === "look" && "head" in line.answer
          ? { ...line, answer: { ...line.answer, unread: line.answer.unread + 1 } }
          : line,
      )
      return { store, lines: wrong }
    },
  ],
  "a sender never hears what became of a message": [
    "recovery",
    ({ lines, store }, random) => {
      const acknowledged = lines.filter(isAcknowledged)
      if (acknowledged.length === 0) return undefined
      const { id } = random.pick(acknowledged)
      const lose = (line: Line): Line =>
        line.k === "send" && line.id === id ? { ...line, answer: { lost: "gone" } } : line
      return { store, lines: lines.map(lose) }
    },
  ],
  "a message comes late while the bus is away": [
    "outage",
    ({ lines, store }) => {
      const from = lines.findIndex((line) => line.k === "fault" && line.name === "broker away")
      const to = lines.findIndex((line) => line.k === "healed" && line.fault === 2)
      const during = lines.slice(from, to)
      // Who is not loading anything just then, and resumes.
      const ready = new Set(lines.flatMap((l) => (l.k === "open" && l.after ? [l.sub] : [])))
      const late = during.find((line) => isEntry(line) && line.message && ready.has(line.sub))
      if (!late || !isEntry(late)) return undefined
      // All that this device was told from there on, and whatever else happened afterwards.
      const at = lines.indexOf(late)
      return {
        store,
        lines: lines.map((line, index) =>
          index >= at && "t" in line ? { ...line, ...delayed(line) } : line,
        ),
      }
    },
  ],
  "a session is not opened while the bus is away": [
    "outage",
    ({ lines, store }) => {
      const to = lines.findIndex((line) => line.k === "healed" && line.fault === 2)
      const t = lines[to]!.t
      const waiting: Line[] = [
        { k: "open", t: t - 1, sub: 998, reader: "ana's tablet", who: "ana", after: {} },
        { k: "close", t: t + 10_000, sub: 998, why: "UNAVAILABLE" },
      ]
      return { store, lines: lines.toSpliced(to, 0, ...waiting) }
    },
  ],
  "a reader comes back too late": [
    "recovery",
    ({ lines, store }) => {
      const healed = lines.findIndex(({ k }) => k === "healed")
      const late = lines.map((line, index) =>
        index > healed && "t" in line ? { ...line, t: line.t + 20_000 } : line,
      )
      const somebodyWasGone = late.slice(healed).some(({ k }) => k === "open")
      return somebodyWasGone ? { store, lines: late } : undefined
    },
  ],
}

/** Ana's phone has missed too much and loads a log of five; then it hears live of what it is given, in that order. */
function reloaded(heard: readonly number[]): History {
  const conversation = "c1"
  const about = { conversation, by: "ana" }
  const messages = [2, 3, 4, 5].map((seq) => ({
    ...about,
    seq,
    message: { id: `m${seq}`, text: `${seq}` },
  }))
  const log = [{ ...about, seq: 1, members: { joined: ["ana"], left: [] } }, ...messages]
  const sends = messages.map(({ seq, message }): Line => {
    const span = { t: seq * 10, done: seq * 10 + 5 }
    const answer = { seq, by: "ana", ...message }
    return { k: "send", ...span, who: "ana", conversation, ...message, answer }
  })
  const load: Line[] = [
    { k: "open", t: 100, sub: 1, reader: "ana's phone", who: "ana", after: {} },
    { k: "ready", t: 110, sub: 1, recovered: false, reload: [conversation] },
    {
      ...{ k: "page", t: 120, done: 130, who: "ana", conversation, after: 0, sub: 1 },
      answer: { entries: log, head: 5 },
    },
  ]
  const live = heard.map(
    (seq, index): Line => ({ k: "entry", t: 140 + index, sub: 1, ...log[seq - 1]! }),
  )
  return {
    store: log.map((entry) => ({ k: "stored", ...entry })),
    lines: [...sends, ...load, ...live],
  }
}

const inDelivery = (history: History) =>
  violated(history).filter((property) => property === "delivery")

test("what a reader has loaded may still come to it as events, in their order", () => {
  for (const heard of [[], [4, 5], [2, 3, 4, 5], [5]]) {
    expect(inDelivery(reloaded(heard))).toEqual([])
  }
})

test("where a subscription ends before all is loaded, the next one resumes from where it did", () => {
  const { store, lines } = reloaded([])
  const page = lines.findIndex(({ k }) => k === "page")
  const load = lines[page] as Extract<Line, { k: "page" }>
  const { entries } = load.answer as { entries: { seq: number }[] }
  const resuming = (after: Record<string, number>, ...first: Line[]) =>
    inDelivery({
      store,
      lines: [
        ...lines.slice(0, page),
        ...first,
        { k: "close", t: 135, sub: 1, why: "it ended" },
        { k: "open", t: 200, sub: 2, reader: "ana's phone", who: "ana", after },
        { k: "ready", t: 210, sub: 2, recovered: false, reload: ["c1"] },
        { ...load, sub: 2, t: 220, done: 230, after: after.c1 ?? 0 },
      ],
    })
  const late: Line = { ...load, done: 138 }
  const part: Line = { ...load, answer: { entries: entries.slice(0, 3) as never, head: 5 } }
  for (const first of [late, part]) {
    expect(resuming({}, first)).toEqual([])
    expect(resuming({ c1: 3 }, first)).toEqual(["delivery"])
  }
  expect(resuming({ c1: 5 }, load)).toEqual([])
  expect(resuming({}, load)).toEqual([])
  expect(resuming({ c1: 4 }, load)).toEqual(["delivery"])
})

test("a leaving that is not told is found where the member comes back later in the same subscription", () => {
  const seed = "-323584821"
  const { lines, store } = simulate(seed)
  const told = lines.filter(isEntry).filter(({ sub, seq }) => sub === 6 && seq === 9)
  expect(told.map(({ members }) => members?.left)).toEqual([["dora"]])
  expect(violated({ store, lines: lines.filter((line) => line !== told[0]) })).toContain("delivery")
})

test("an event that comes again, or before an earlier one, is found where it had been loaded, too", () => {
  for (const heard of [
    [4, 4],
    [5, 4],
    [4, 5, 4],
  ]) {
    expect(inDelivery(reloaded(heard))).toEqual(["delivery"])
  }
})

describe("finds it where", () => {
  test.each(Object.entries(SPOILERS))("%s", (name, [property, spoiler]) => {
    let spoilt = 0
    holds(
      fc.property(seeds, (seed) => {
        const history = spoiler(simulate(seed), createRandom(`${name} ${seed}`))
        if (!history) return
        spoilt += 1
        expect(violated(history)).toContain(property)
      }),
      60,
    )
    expect(spoilt).toBeGreaterThan(5)
  })

  test("every property is spoilt by one of these at least", () => {
    const spoilt = new Set(Object.values(SPOILERS).map(([property]) => property))
    expect(PROPERTIES.map(({ name }) => name).filter((name) => !spoilt.has(name))).toEqual([])
  })
})
