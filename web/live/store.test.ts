import { describe, expect, test } from "bun:test"
import type { Conversation, Pending } from "./model.ts"
import { createLiveStore } from "./store.ts"
import { ALICE, aConversation, aMessage, BOB } from "./testing.ts"
import { tickOf } from "./ticks.ts"

const viewer = { id: ALICE, username: "alice", name: "Alice" }
const storeWith = (...conversations: Conversation[]) =>
  createLiveStore({
    viewer,
    users: {},
    conversations: Object.fromEntries(conversations.map((one) => [one.id, one])),
    pending: [],
    troubles: [],
    listComplete: true,
  })
const sending = (id: string, state: Pending["state"] = { is: "sending" }): Pending => ({
  id,
  conversation: "c1",
  text: "Hello",
  createdAt: 0,
  state,
})

describe("the live store", () => {
  test("asks for what is missing: an unknown conversation, a hole", () => {
    const store = storeWith(aConversation({ position: 2 }))
    expect(store.receive("c2", aMessage(1, BOB))).toEqual({
      need: "conversation",
      conversation: "c2",
    })
    expect(store.receive("c1", aMessage(5, BOB))).toEqual({ need: "fill", conversation: "c1" })
    expect(store.fill("c1", [aMessage(3, BOB), aMessage(4, BOB)])).toBeUndefined()
    expect(store.get().conversations.c1?.position).toBe(5)
  })

  test("tells its listeners only when something has changed", () => {
    const store = storeWith(aConversation({ position: 0 }))
    let calls = 0
    store.subscribe(() => {
      calls += 1
    })
    store.receive("c1", aMessage(1, BOB))
    store.receive("c1", aMessage(1, BOB))
    store.receipt("c1", BOB, { delivered: 0, read: 0 })
    expect(calls).toBe(1)
  })

  test("begins anew where the viewer is added again", () => {
    const store = storeWith(aConversation({ position: 7, left: true }))
    expect(store.receive("c1", aMessage(12, BOB))?.need).toBe("conversation")
    expect(store.receive("c1", aMessage(6, BOB))).toBeUndefined()
    store.adopt(aConversation({ position: 12 }))
    expect(store.get().conversations.c1).toMatchObject({ left: false, position: 12 })
  })

  test("shows a message once: on its way until the log has it, never both", () => {
    const store = storeWith(aConversation({ position: 0 }))
    store.setPending([sending("m1"), sending("m2")])
    store.receive("c1", aMessage(1, ALICE))
    expect(store.get().pending.map(({ id }) => id)).toEqual(["m2"])
    // The outbox has not heard of it yet and shows it again.
    store.setPending([sending("m1"), sending("m2", { is: "sent", seq: 1 })])
    expect(store.get().pending).toEqual([])
  })

  test("a snapshot brings receipts and counts, and never moves the position", () => {
    const store = storeWith(aConversation({ position: 3, unread: 1 }))
    const members = {
      [ALICE]: { role: "ADMIN" as const, delivered: 3, read: 3 },
      [BOB]: { role: "MEMBER" as const, delivered: 2, read: 1 },
    }
    store.adopt(aConversation({ position: 9, members }))
    expect(store.get().conversations.c1).toMatchObject({ position: 3, unread: 0, members })
    store.adopt(aConversation({ position: 9, members }), { reset: true })
    expect(store.get().conversations.c1?.position).toBe(9)
  })

  test("asks for the count where its own read mark moved among messages that are not loaded", () => {
    const store = storeWith(aConversation({ position: 90, unread: 40 }))
    const need = store.receipt("c1", ALICE, { delivered: 90, read: 70 })
    expect(need).toEqual({ need: "count", conversation: "c1" })
  })
})

describe("ticks", () => {
  const withBob = (delivered: number, read: number) =>
    aConversation({
      members: {
        [ALICE]: { role: "ADMIN", delivered: 9, read: 9 },
        [BOB]: { role: "MEMBER", delivered, read },
        carol: { role: "MEMBER", delivered: 9, read: 9 },
      },
      memberCount: 3,
    })

  test("follow the slowest of the others", () => {
    expect(tickOf(withBob(3, 3), 4, ALICE)).toBe("sent")
    expect(tickOf(withBob(4, 3), 4, ALICE)).toBe("delivered")
    expect(tickOf(withBob(4, 4), 4, ALICE)).toBe("read")
  })

  test("claim nothing for members that are not loaded", () => {
    const big = { ...withBob(9, 9), memberCount: 40, lastStatus: "delivered" as const }
    expect(tickOf(big, 4, ALICE)).toBe("sent")
    expect(tickOf({ ...big, lastMessage: aMessage(4, ALICE).message }, 4, ALICE)).toBe("delivered")
  })
})
