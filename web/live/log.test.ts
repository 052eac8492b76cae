import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { LONGEST_PAGE } from "../limits.ts"
import {
  cutToOpen,
  extend,
  fill,
  firstSeq,
  hasGap,
  isAtEnd,
  isOpenable,
  moveWatermarks,
  newerRange,
  newestRange,
  olderRange,
  openAt,
  openingRange,
  prepend,
  type Range,
  receive,
} from "./log.ts"
import type { Conversation, Entry } from "./model.ts"
import { ALICE, aConversation, aMessage, BOB } from "./testing.ts"

const seqs = ({ entries }: Conversation) => entries.map(({ seq }) => seq)
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => i + from)

/** A log of n messages, alternately by Alice and Bob. */
const logOf = (n: number): Entry[] => upTo(n).map((seq) => aMessage(seq, seq % 2 ? BOB : ALICE))

describe("the log of a conversation", () => {
  test("is dense whatever the order and repetition of what arrives", () => {
    const arrivals = fc
      .integer({ min: 1, max: 30 })
      .chain((n) =>
        fc.tuple(
          fc.constant(n),
          fc.shuffledSubarray(upTo(n), { minLength: n, maxLength: n }),
          fc.array(fc.integer({ min: 1, max: n })),
        ),
      )
    fc.assert(
      fc.property(arrivals, ([n, order, again]) => {
        const log = logOf(n)
        let conversation = aConversation({ position: 0, complete: true })
        for (const seq of [...again, ...order, ...again]) {
          conversation = receive(conversation, log[seq - 1]!, ALICE)
          expect(seqs(conversation)).toEqual(upTo(conversation.position))
        }
        expect(conversation.position).toBe(n)
        expect(hasGap(conversation)).toBe(false)
        expect(conversation.unread).toBe(log.filter(({ by }) => by === BOB).length)
        expect(conversation.lastMessage?.seq).toBe(n)
      }),
    )
  })

  test("is dense when losses are filled in from the server at any moment", () => {
    const step = fc.oneof(
      fc.record({ live: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ fillFirst: fc.integer({ min: 1, max: 20 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = logOf(40)
        let conversation = aConversation({ position: 0, complete: true })
        for (const step of steps) {
          const { position } = conversation
          conversation =
            "live" in step
              ? receive(conversation, log[step.live - 1]!, ALICE)
              : fill(conversation, log.slice(position, position + step.fillFirst), ALICE)
          expect(conversation.position).toBeGreaterThanOrEqual(position)
          expect(seqs(conversation)).toEqual(upTo(conversation.position))
          for (const { seq } of conversation.ahead) {
            expect(seq).toBeGreaterThan(conversation.position + 1)
          }
        }
        conversation = fill(conversation, log.slice(conversation.position), ALICE)
        expect(seqs(conversation)).toEqual(upTo(40))
        expect(hasGap(conversation)).toBe(false)
      }),
    )
  })

  test("gives the same object back for what it has", () => {
    const conversation = receive(aConversation({ position: 0 }), aMessage(1, BOB), ALICE)
    expect(receive(conversation, aMessage(1, BOB), ALICE)).toBe(conversation)
  })

  test("jumps over what the viewer may not see only on the server's word", () => {
    const conversation = receive(aConversation({ position: 3 }), aMessage(9, BOB), ALICE)
    expect(conversation.position).toBe(3)
    expect(fill(conversation, [aMessage(8, BOB)], ALICE).position).toBe(9)
  })

  test("grows at the front page by page until nothing older may be seen", () => {
    const log = logOf(10)
    let conversation = aConversation({ position: 10, complete: false })
    conversation = prepend(conversation, log.slice(6), 6)
    expect(seqs(conversation)).toEqual([7, 8, 9, 10])
    expect(conversation.complete).toBe(false)
    // Alice joined with entry 3: a page that was to begin behind 0 begins there.
    conversation = prepend(conversation, log.slice(2, 9), 0)
    expect(seqs(conversation)).toEqual(upTo(10, 3))
    expect(conversation.complete).toBe(true)
    expect(firstSeq(conversation)).toBe(3)
  })
})

describe("watermarks", () => {
  test("only ever move forward, whatever the order of receipts", () => {
    const receipt = fc.record({ delivered: fc.nat(50), read: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(receipt, { minLength: 1 }), (receipts) => {
        let conversation = aConversation({ position: 50 })
        for (const to of receipts) conversation = moveWatermarks(conversation, BOB, to, ALICE)
        const read = Math.max(...receipts.map(({ read }) => read))
        const delivered = Math.max(read, ...receipts.map(({ delivered }) => delivered))
        expect(conversation.members[BOB]).toMatchObject({ read, delivered })
      }),
    )
  })

  test("of the viewer leave as unread what others have written beyond", () => {
    const log = logOf(10)
    let conversation = fill(aConversation({ position: 0, complete: true }), log, ALICE)
    expect(conversation.unread).toBe(5)
    conversation = moveWatermarks(conversation, ALICE, { delivered: 10, read: 5 }, ALICE)
    expect(conversation.unread).toBe(2)
    conversation = moveWatermarks(conversation, ALICE, { delivered: 10, read: 10 }, ALICE)
    expect(conversation.unread).toBe(0)
  })
})

describe("members", () => {
  const change = (seq: number, to: Partial<Extract<Entry, { kind: "members" }>>): Entry => ({
    kind: "members",
    seq,
    at: "2026-01-01T00:00:00Z",
    by: ALICE,
    joined: [],
    left: [],
    promoted: [],
    demoted: [],
    ...to,
  })

  test("who joins has nothing to catch up with, who leaves is gone", () => {
    let conversation = receive(
      aConversation({ position: 4 }),
      change(5, { joined: ["carol"] }),
      ALICE,
    )
    expect(conversation.members.carol).toEqual({ role: "MEMBER", delivered: 5, read: 5 })
    expect(conversation.memberCount).toBe(3)
    conversation = receive(conversation, change(6, { left: ["carol"] }), ALICE)
    expect(conversation.members.carol).toBeUndefined()
    expect(conversation.memberCount).toBe(2)
    expect(conversation.left).toBe(false)
  })

  test("the viewer who is removed keeps the position", () => {
    const conversation = receive(
      aConversation({ position: 4 }),
      change(5, { left: [ALICE] }),
      ALICE,
    )
    expect(conversation.left).toBe(true)
    expect(conversation.position).toBe(5)
  })
})

describe("a reader who is further back", () => {
  const taken = (log: Entry[], { after, first }: Range) => log.slice(after, after + first)

  test("sees a part that is dense, wherever it grows and whatever arrives meanwhile", () => {
    const moves = fc.array(fc.constantFrom("older", "newer", "newest", "opening", "live", "cut"), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(moves, fc.integer({ min: 0, max: 900 }), (moves, read) => {
        const log = logOf(1_000)
        const given = { position: 900, unread: 450 }
        let conversation = moveWatermarks(aConversation(given), ALICE, { delivered: 0, read }, BOB)
        const range = openingRange(conversation, ALICE)
        conversation = openAt(conversation, taken(log, range), range.after)
        for (const move of moves) {
          const before = conversation
          if (move === "older") {
            const range = olderRange(before)
            conversation = prepend(before, taken(log, range), range.after)
          } else if (move === "newer") {
            const range = newerRange(before)
            conversation = extend(before, taken(log, range), range.after)
          } else if (move === "cut") {
            conversation = cutToOpen(before, ALICE)
          } else if (move === "live") {
            conversation = receive(before, log[before.position]!, ALICE)
          } else {
            const range = move === "newest" ? newestRange(before) : openingRange(before, ALICE)
            conversation = openAt(before, taken(log, range), range.after)
          }
          const { entries, loadedTo } = conversation
          expect(entries.length).toBeGreaterThan(0)
          expect(seqs(conversation)).toEqual(upTo(loadedTo, firstSeq(conversation)))
          if (move === "newest") expect(isAtEnd(conversation)).toBe(true)
        }
      }),
    )
  })

  test("a page that comes when they have gone elsewhere leaves no hole", () => {
    type Page = (to: Conversation) => Conversation
    const moves = fc.array(
      fc.constantFrom("ask older", "ask newer", "answer", "newest", "opening", "live", "cut"),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(moves, fc.integer({ min: 0, max: 900 }), (moves, read) => {
        const log = logOf(1_000)
        const given = { position: 900, unread: 450 }
        let conversation = moveWatermarks(aConversation(given), ALICE, { delivered: 0, read }, BOB)
        const page = (range: Range) => openAt(conversation, taken(log, range), range.after)
        conversation = page(openingRange(conversation, ALICE))
        const underWay: Page[] = []
        for (const move of moves) {
          if (move === "ask older") {
            const range = olderRange(conversation)
            if (range.first > 0) underWay.push((to) => prepend(to, taken(log, range), range.after))
          } else if (move === "ask newer") {
            const range = newerRange(conversation)
            underWay.push((to) => extend(to, taken(log, range), range.after))
          } else if (move === "answer")
            conversation = underWay.shift()?.(conversation) ?? conversation
          else if (move === "cut") conversation = cutToOpen(conversation, ALICE)
          else if (move === "live")
            conversation = receive(conversation, log[conversation.position]!, ALICE)
          else if (move === "newest") conversation = page(newestRange(conversation))
          else conversation = page(openingRange(conversation, ALICE))
          const { loadedTo, complete } = conversation
          expect(seqs(conversation)).toEqual(upTo(loadedTo, firstSeq(conversation)))
          expect(complete).toBe(firstSeq(conversation) === 1)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test("begins at the first unread message, with a page at most, however it got there", () => {
    const sizes = fc.integer({ min: 1, max: 700 })
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 0, max: 700 }), (read, unread, live) => {
        const log = logOf(read + unread + live)
        const position = read + unread
        let conversation = aConversation({ position, unread: Math.ceil(unread / 2) })
        conversation = moveWatermarks(conversation, ALICE, { delivered: read, read }, BOB)
        // What comes while it is only a line of the list is kept too.
        for (const entry of log.slice(position)) conversation = receive(conversation, entry, ALICE)
        conversation = cutToOpen(conversation, ALICE)
        if (!isOpenable(conversation, ALICE)) {
          const range = openingRange(conversation, ALICE)
          conversation = cutToOpen(openAt(conversation, taken(log, range), range.after), ALICE)
        }
        expect(isOpenable(conversation, ALICE)).toBe(true)
        expect(seqs(conversation)).toContain(read + 1)
        expect(conversation.loadedTo - read).toBeLessThanOrEqual(LONGEST_PAGE)
      }),
    )
  })
})
