import { describe, expect, test } from "bun:test"
import type { Client } from "@urql/core"
import { Log, OneConversation, type WireEvent, type WireLogEvent } from "./documents.ts"
import { createLiveStore } from "./store.ts"
import { createSync } from "./sync.ts"
import { ALICE, aConversation, aMessage, BOB, until } from "./testing.ts"

/** A server with one conversation of Bob's messages, and a stream to Alice that sends what it is told to. */
function scene(head: number, position: number) {
  const asked: string[] = []
  let deliver: (event: WireEvent) => void = () => {}
  let resumeAt: unknown

  const sent = (seq: number): WireLogEvent => {
    const { at, by, message } = aMessage(seq, BOB)
    return {
      __typename: "MessageSent",
      conversation: { id: "c1" },
      seq,
      at,
      by: { id: by },
      message: { ...message, sender: { id: by } },
    }
  }
  const answers = new Map<unknown, (variables: { after: number; first: number }) => unknown>([
    [
      Log,
      ({ after, first }) => ({
        conversation: {
          log: Array.from({ length: Math.min(first, head - after) }, (_, i) => sent(after + 1 + i)),
        },
      }),
    ],
    [
      OneConversation,
      () => ({
        conversation: {
          id: "c1",
          kind: "DIRECT",
          title: null,
          createdAt: "2026-01-01T00:00:00Z",
          head,
          unreadCount: 7,
          me: { role: "MEMBER", delivered: head - 7, read: head - 7 },
          lastMessage: null,
          members: { totalCount: 2, pageInfo: { hasNextPage: false, endCursor: null }, edges: [] },
        },
      }),
    ],
  ])
  const client = {
    query: (document: unknown, variables: { after: number; first: number }) => ({
      async toPromise() {
        asked.push(document === Log ? `log after ${variables.after}` : "conversation")
        return { data: answers.get(document)?.(variables) }
      },
    }),
    subscription: (
      _document: unknown,
      _variables: unknown,
      context: { liveVariables(): unknown },
    ) => ({
      subscribe(next: (result: unknown) => void) {
        resumeAt = context.liveVariables()
        deliver = (event) => next({ data: { events: event }, hasNext: true })
        return { unsubscribe() {} }
      },
    }),
  } as unknown as Client

  const store = createLiveStore({
    viewer: { id: ALICE, username: "alice", name: "Alice" },
    users: {},
    conversations: { c1: aConversation({ position, complete: position === 0 }) },
    pending: [],
    troubles: [],
  })
  const sync = createSync({ client, store, moreAfter: null, arrived() {} })
  const stop = sync.start()
  const c1 = () => store.get().conversations.c1!
  return {
    sync,
    stop,
    asked,
    c1,
    sent,
    seqs: () => c1().entries.map(({ seq }) => seq),
    started: () => until(() => resumeAt !== undefined),
    resumeAt: () => resumeAt,
    deliver: (event: WireEvent) => deliver(event),
  }
}

const ready = (reload: string[]): WireEvent => ({
  __typename: "Ready",
  recovered: reload.length === 0,
  reload: reload.map((id) => ({ id })),
})

describe("keeping in step", () => {
  test("resumes at the store's positions", async () => {
    const { started, resumeAt, stop } = scene(5, 5)
    await started()
    expect(resumeAt()).toEqual({ after: [{ conversation: "c1", seq: 5 }] })
    stop()
  })

  test("a hole in the stream is filled from the log, and only once asked for", async () => {
    const { started, deliver, sent, seqs, asked, stop } = scene(6, 0)
    await started()
    for (const seq of [1, 4, 6, 5]) deliver(sent(seq))
    expect(seqs()).toEqual([1])
    await until(() => seqs().length === 6)
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6])
    expect(asked).toEqual(["log after 1"])
    stop()
  })

  test("entries that only came late are no hole: nothing is fetched for them", async () => {
    const { started, deliver, sent, seqs, asked, stop } = scene(5, 0)
    await started()
    for (const seq of [1, 3, 2, 5]) deliver(sent(seq))
    expect(seqs()).toEqual([1, 2, 3])
    await until(() => seqs().length === 5)
    expect(asked).toEqual(["log after 3"])
    stop()
  })

  test("a replay that was too long: the conversation is taken anew, with its newest page", async () => {
    const { started, deliver, sent, c1, seqs, stop } = scene(1_400, 0)
    await started()
    deliver(sent(1))
    deliver(ready(["c1"]))
    await until(() => c1().entries.length > 1)
    expect(c1()).toMatchObject({ position: 1_400, unread: 7, complete: false })
    expect(seqs().at(-1)).toBe(1_400)
    deliver(sent(1_401))
    expect(seqs().at(-1)).toBe(1_401)
    stop()
  })

  test("going back loads page by page to the beginning", async () => {
    const { sync, started, c1, seqs, stop } = scene(120, 120)
    await started()
    await sync.open("c1")
    while (!c1().complete) await sync.loadOlder("c1")
    expect(seqs()).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
    stop()
  })
})
