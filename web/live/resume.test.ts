import { describe, expect, test } from "bun:test"
import { NAMED_CONVERSATIONS } from "../limits.ts"
import { createHorizon } from "./resume.ts"
import type { LiveState } from "./store.ts"
import { ALICE, aConversation, aMessage, BOB } from "./testing.ts"

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 12, minute)).toISOString()

/** So many conversations, each a minute newer than the one before. */
function stateOf(count: number): LiveState {
  const conversations = Array.from({ length: count }, (_, i) =>
    aConversation({ id: `c${i}`, position: i + 1, createdAt: at(i) }),
  )
  return {
    viewer: { id: ALICE, username: "alice", name: "Alice" },
    users: {},
    conversations: Object.fromEntries(conversations.map((one) => [one.id, one])),
    pending: [],
    troubles: [],
    listComplete: false,
  }
}

describe("where to resume", () => {
  test("from the start where nothing is known; else a minute before the newest that is", () => {
    expect(createHorizon(stateOf(0)).resume(stateOf(0))).toEqual({ after: [], since: null })
    const state = stateOf(3)
    expect(createHorizon(state).resume(state)).toEqual({
      after: [
        { conversation: "c2", seq: 3 },
        { conversation: "c1", seq: 2 },
        { conversation: "c0", seq: 1 },
      ],
      since: at(1),
    })
  })

  test("a replay that was cut off moves the time not at all; Ready moves it, and what is live after that", () => {
    const state = stateOf(11)
    const horizon = createHorizon(state)
    horizon.begin()
    horizon.saw(at(30))
    expect(horizon.resume(state).since).toBe(at(9))
    horizon.begin()
    horizon.ready()
    expect(horizon.resume(state).since).toBe(at(9))
    horizon.saw(at(20))
    expect(horizon.resume(state).since).toBe(at(19))
    // Entries of two conversations may come out of order.
    horizon.saw(at(15))
    expect(horizon.resume(state).since).toBe(at(19))
    horizon.begin()
    horizon.saw(at(40))
    horizon.ready()
    expect(horizon.resume(state).since).toBe(at(39))
  })

  test("stays a small frame with 10,000 conversations, and names each that has a hole", () => {
    const state = stateOf(10_000)
    const gap = { ...state.conversations.c7!, ahead: [aMessage(20, BOB)] }
    const left = { ...state.conversations.c9999!, left: true }
    const conversations = { ...state.conversations, c7: gap, c9999: left }
    const { after, since } = createHorizon(state).resume({ ...state, conversations })
    expect(after.length).toBe(NAMED_CONVERSATIONS + 1)
    expect(after.at(-1)).toEqual({ conversation: "c7", seq: 8 })
    expect(after.some(({ conversation }) => conversation === "c9999")).toBe(false)
    expect(JSON.stringify({ after, since }).length).toBeLessThan(8 * 1024)
  })
})
