import { describe, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { PAGES_AT_ONCE, SLICE_MS } from "./limits.ts"
import { createTurns, type Turns } from "./turns.ts"
import { fewInTurn, type Work } from "./work.ts"

/** Time that passes only where a test spends it. */
function createClock() {
  const clock = { time: 1_000, now: () => clock.time }
  return clock
}
const tooLarge = () => unavailable("too large")
const begin = (turns: Turns, person: string, isForEvents = false): Work => {
  const work = turns.work({ person, isForEvents, bytes: 1_000, items: 10, tooLarge })
  work.begin()
  return work
}

/** Does pieces of work of some ms each, and notes who has done one. */
async function labour(
  turns: Turns,
  clock: { time: number },
  person: string,
  pieces: number,
  ms: number,
  done: string[],
): Promise<void> {
  const work = begin(turns, person)
  for (let i = 0; i < pieces; i++) {
    const turn = work.turn()
    if (turn) await turn
    clock.time += ms
    done.push(person)
  }
  work.done()
}

describe("work that is short", () => {
  test("goes on without a promise, while others are at work, too", () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    for (const person of ["alice", "bob", "carol"]) {
      const work = begin(turns, person)
      expect(work.turn()).toBeUndefined()
      clock.time += SLICE_MS / 4
      expect(work.turn()).toBeUndefined()
      work.done()
    }
  })

  test("of the node's own needs no person", () => {
    const turns = createTurns()
    const work = turns.work({ bytes: 1, tooLarge })
    expect(work.turn()).toBeUndefined()
    work.begin()
    expect(work.turn()).toBeUndefined()
    work.done()
    work.done()
  })
})

describe("work that is long", () => {
  test("lets the event loop run after each slice", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    let passes = 0
    const count = () => {
      passes += 1
      if (isAtWork) setImmediate(count)
    }
    let isAtWork = true
    setImmediate(count)
    await labour(turns, clock, "alice", 20, SLICE_MS, [])
    isAtWork = false
    expect(passes).toBeGreaterThanOrEqual(15)
    expect(turns.waiting).toBe(0)
  })

  test("is asked for again where many fields were told to go on at once", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    const work = begin(turns, "alice")
    expect(work.turn()).toBeUndefined()
    clock.time += SLICE_MS
    let went = 0
    const fields = Array.from({ length: 5 }, async () => {
      await work.turn()
      went += 1
      clock.time += SLICE_MS
    })
    await new Promise(setImmediate)
    expect(went).toBeLessThanOrEqual(2)
    await Promise.all(fields)
    expect(went).toBe(5)
  })

  test("of one person goes behind a little of each other's, however much of it there is", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    const done: string[] = []
    const flood = Array.from({ length: 30 }, () =>
      labour(turns, clock, "mallory", 20, SLICE_MS, done),
    )
    await new Promise(setImmediate)
    const before = done.length
    await labour(turns, clock, "alice", 10, SLICE_MS, done)
    const meanwhile = done.slice(before).filter((person) => person === "mallory").length
    // Half each, and not thirty of mallory's for one of alice's.
    expect(meanwhile).toBeLessThanOrEqual(15)
    await Promise.all(flood)
  })

  test("of one person counts on when the next of it comes, for as long as others wait", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    const done: string[] = []
    let isOver = false
    const alice = labour(turns, clock, "alice", 10, SLICE_MS, done).then(() => {
      isOver = true
    })
    // Each is a single piece, and ends before the next one begins.
    for (let i = 0; i < 200 && !isOver; i++) {
      await labour(turns, clock, "mallory", 1, SLICE_MS, done)
    }
    await alice
    const meanwhile = done.slice(0, done.lastIndexOf("alice"))
    expect(meanwhile.filter((person) => person === "mallory").length).toBeLessThanOrEqual(15)

    // With an empty queue, time used before counts against no person.
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    const later: string[] = []
    await Promise.all([
      labour(turns, clock, "bob", 10, SLICE_MS, later),
      labour(turns, clock, "mallory", 2, SLICE_MS, later),
    ])
    expect(later.lastIndexOf("mallory")).toBeLessThanOrEqual(5)
  })

  test("of many persons' events lets one who has just come go first", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    const done: string[] = []
    let alice: Promise<void> | undefined
    const events = Array.from({ length: 200 }, async (_, i) => {
      const work = begin(turns, `member ${i}`, true)
      for (let piece = 0; piece < 3; piece++) {
        await work.turn()
        clock.time += SLICE_MS
        // She comes in the middle, when this pass has used its slice.
        if (done.push("member") === 300) alice = labour(turns, clock, "alice", 2, 1, done)
      }
      work.done()
    })
    await Promise.all(events)
    await alice
    expect(done.lastIndexOf("alice")).toBeLessThanOrEqual(305)
  })

  test("keeps nothing of persons who have no more of it", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => labour(turns, clock, `${i}`, 3, SLICE_MS, [])),
    )
    expect(turns.waiting).toBe(0)
  })

  test("of a client that has gone does not keep others waiting while all of it finds out", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    let isThere = true
    let refused = 0
    const work = turns.work({ person: "mallory", bytes: 1, tooLarge, isWaitedFor: () => isThere })
    work.begin()
    expect(work.turn()).toBeUndefined()
    clock.time += SLICE_MS
    const fields = Array.from({ length: 5_000 }, () =>
      work.turn()!.catch(() => {
        refused += 1
      }),
    )
    isThere = false
    await labour(turns, clock, "alice", 5, SLICE_MS, [])
    expect(refused).toBeLessThan(2_500)
    await Promise.all(fields)
    expect(refused).toBe(5_000)
  })

  test("stops where its client has gone meanwhile", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    let isThere = true
    const work = turns.work({ person: "alice", bytes: 1, tooLarge, isWaitedFor: () => isThere })
    work.begin()
    clock.time += SLICE_MS
    const turn = work.turn()
    isThere = false
    await expect(turn).rejects.toMatchObject({ code: "UNAVAILABLE" })
    expect(() => work.turn()).toThrow("gone")
  })
})

describe("an answer", () => {
  test.each([
    ["bytes", [1_000, 1], [1, 0]],
    ["items", [10, 10], [10, 1]],
  ] as [string, [number, number], [number, number]][])(
    "has so many %s; then all further work of it is refused",
    (_what, within, beyond) => {
      const work = begin(createTurns(), "alice")
      work.charge(...within)
      expect(() => work.charge(...beyond)).toThrow("too large")
      expect(work.failure).toBeDefined()
      expect(() => work.turn()).toThrow("too large")
      expect(() => work.charge(0)).toThrow("too large")
    },
  )

  test("that fails refuses what waits for its turn, too", async () => {
    const clock = createClock()
    const turns = createTurns(clock.now)
    const work = begin(turns, "alice")
    clock.time += SLICE_MS
    const waiting = work.turn()
    expect(() => work.charge(5_000)).toThrow()
    await expect(waiting).rejects.toThrow("too large")
  })
})

test("an operation reads few pages at once, and none after it has used up what its answer may have", async () => {
  const work = begin(createTurns(createClock().now), "alice")
  let [reading, most, read] = [0, 0, 0]
  const page = () =>
    fewInTurn(work, async () => {
      reading += 1
      read += 1
      most = Math.max(most, reading)
      await new Promise(setImmediate)
      reading -= 1
      work.charge(300)
      return "page"
    })
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, page))
  expect(most).toBe(PAGES_AT_ONCE)
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3)
  expect(read).toBeLessThanOrEqual(3 + PAGES_AT_ONCE)
})

test("a field whose turn comes when its operation is over does not go on", async () => {
  const clock = createClock()
  const work = begin(createTurns(clock.now), "alice")
  clock.time += SLICE_MS
  const turn = work.turn()
  work.done()
  await expect(turn).rejects.toMatchObject({ code: "UNAVAILABLE" })
  expect(() => work.turn()).toThrow("over")
})

test("pages that still wait when their operation is over are not read", async () => {
  const work = begin(createTurns(createClock().now), "alice")
  let read = 0
  const page = () =>
    fewInTurn(work, async () => {
      read += 1
      await new Promise(setImmediate)
      return "page"
    })
  const pages = Array.from({ length: 50 }, page)
  await Promise.resolve()
  // It was cancelled, or one field has failed and taken all others with it.
  work.done()
  const outcomes = await Promise.allSettled(pages)
  expect(outcomes.map(({ status }) => status)).not.toContain("fulfilled")
  expect(read).toBe(PAGES_AT_ONCE)
  expect(work.failure).toBeUndefined()
})
