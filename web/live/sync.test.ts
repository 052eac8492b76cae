import { describe, expect, setSystemTime, spyOn, test } from "bun:test"
import { type Client, CombinedError } from "@urql/core"
import { GraphQLError } from "graphql"
import { createAsking } from "./asking.ts"
import { backoff } from "./backoff.ts"
import {
  Log,
  MoreConversations,
  OneConversation,
  type WireEvent,
  type WireLogEvent,
} from "./documents.ts"
import { createNeeds } from "./needs.ts"
import { createLiveStore } from "./store.ts"
import { createSync } from "./sync.ts"
import { ALICE, aConversation, aMessage, BOB, until } from "./testing.ts"

function nameOf(document: unknown, after: number): string {
  if (document === Log) return `log after ${after}`
  return document === MoreConversations ? "list" : "conversation"
}

/** A server with one conversation of Bob's messages, and a stream to Alice that sends what it is told to. */
function scene(head: number, position: number) {
  const asked: string[] = []
  let deliver: (event: WireEvent) => void = () => {}
  let resumeAt: unknown
  let reconnect = () => {}

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
    [
      MoreConversations,
      () => ({ conversations: { pageInfo: { hasNextPage: false, endCursor: null }, edges: [] } }),
    ],
  ])
  /** What the server answers instead, as long as it is set. */
  const server: { says?: () => { data?: unknown; error?: CombinedError }; most: number } = {
    most: Number.POSITIVE_INFINITY,
  }
  const client = {
    query: (document: unknown, variables: { after: number; first: number }) => ({
      async toPromise() {
        asked.push(nameOf(document, variables.after))
        if (server.says) return server.says()
        const first = Math.min(variables.first, server.most)
        return { data: answers.get(document)?.({ ...variables, first }) }
      },
    }),
    subscription: (
      _document: unknown,
      _variables: unknown,
      context: { liveVariables(): unknown },
    ) => ({
      subscribe(next: (result: unknown) => void) {
        reconnect = () => {
          resumeAt = context.liveVariables()
        }
        reconnect()
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
    listComplete: true,
  })
  const sync = createSync({ client, store, moreAfter: null, arrived() {} })
  const stop = sync.start()
  const c1 = () => store.get().conversations.c1!
  return {
    server,
    store,
    sync,
    stop,
    asked,
    c1,
    sent,
    seqs: () => c1().entries.map(({ seq }) => seq),
    started: () => until(() => resumeAt !== undefined),
    resumeAt: () => resumeAt,
    /** Only the socket is a new one. */
    reconnect: () => reconnect(),
    deliver: (event: WireEvent) => deliver(event),
  }
}

const ready = (reload: string[]): WireEvent => ({
  __typename: "Ready",
  recovered: reload.length === 0,
  reload: reload.map((id) => ({ id })),
})

describe("keeping in step", () => {
  test("resumes at the horizon, with the positions of what is recent", async () => {
    const { started, resumeAt, stop } = scene(5, 5)
    await started()
    const since = "2025-12-31T23:59:00.000Z"
    expect(resumeAt()).toEqual({ after: [{ conversation: "c1", seq: 5 }], since })
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

  test("an older page that comes when the reader has gone to the newest is asked for anew, from there", async () => {
    const { sync, server, started, c1, sent, seqs, stop } = scene(400, 400)
    await started()
    await sync.open("c1")
    while (seqs()[0]! > 201) await sync.loadOlder("c1")
    const late = Promise.withResolvers<{ data: unknown }>()
    server.says = () => late.promise as never
    const older = sync.loadOlder("c1")
    server.says = undefined
    await sync.loadNewest("c1")
    const log = Array.from({ length: 50 }, (_, i) => sent(151 + i))
    late.resolve({ data: { conversation: { log } } })
    await older
    expect(seqs()).toEqual(Array.from({ length: 100 }, (_, i) => 301 + i))
    expect(c1().complete).toBe(false)
    stop()
  })

  test("pages that end early leave no hole", async () => {
    const { sync, server, started, c1, seqs, stop } = scene(120, 120)
    server.most = 7
    await started()
    await sync.open("c1")
    while (!c1().complete) await sync.loadOlder("c1")
    expect(seqs()).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
    stop()

    const other = scene(40, 0)
    other.server.most = 3
    await other.started()
    other.deliver(other.sent(1))
    other.deliver(other.sent(40))
    await until(() => other.seqs().length === 40)
    other.stop()
  })

  test("only NOT_FOUND says that a conversation has been left; any other error is tried again", async () => {
    const { server, sync, started, deliver, store, asked, stop } = scene(9, 5)
    await started()
    const failing = (code: string) => ({
      data: { conversation: null },
      error: new CombinedError({
        graphQLErrors: [new GraphQLError("No.", { extensions: { code, retryable: true } })],
      }),
    })
    const kinds = [
      () => failing("UNAVAILABLE"),
      () => failing("INTERNAL"),
      () => failing("RATE_LIMITED"),
      () => ({ data: { conversation: null } }),
      () => ({ error: new CombinedError({ networkError: new Error("refused") }) }),
    ]
    for (const says of kinds) {
      server.says = says
      const before = asked.length
      deliver(ready(["c1"]))
      await until(() => asked.length >= before + 1)
      expect(store.get().conversations.c1?.left).toBe(false)
    }
    server.says = () => failing("NOT_FOUND")
    sync.hurry()
    await until(() => store.get().conversations.c1?.left === true)
    stop()
  })

  test("a load that fails is named, and tried a few times only, until it works", async () => {
    const { server, sync, started, store, asked, c1, stop } = scene(80, 80)
    await started()
    await sync.open("c1")
    server.says = () => ({ error: new CombinedError({ networkError: new Error("refused") }) })
    const before = asked.length
    // As a page that is drawn anew with each message does it.
    const gone = Array.from({ length: 50 }, () => new AbortController())
    for (const { signal } of gone) void sync.loadOlder("c1", signal)
    await until(() => store.get().troubles.includes("older c1"))
    for (const one of gone) one.abort()
    const last = sync.loadOlder("c1")
    await Bun.sleep(100)
    expect(asked.length - before).toBe(1)
    server.says = undefined
    sync.hurry()
    await last
    expect(store.get().troubles).toEqual([])
    expect(c1().entries.length).toBe(80)
    stop()
  })

  test("a hole that opens while unread messages are counted is filled all the same", async () => {
    const { started, deliver, sent, c1, stop } = scene(12, 9)
    await started()
    // Another device has read a part of what is not loaded here, and the stream loses 10 and 11.
    deliver({
      __typename: "ReceiptMoved",
      conversation: { id: "c1" },
      user: { id: ALICE },
      delivered: 5,
      read: 5,
    })
    deliver(sent(12))
    await until(() => c1().position === 12)
    await until(() => c1().unread === 7)
    expect(c1().ahead).toEqual([])
    stop()
  })

  test("receipts that moved since the page was rendered are asked for at the first Ready, and at each one", async () => {
    const { started, reconnect, deliver, asked, stop } = scene(5, 5)
    await started()
    const lists = () => asked.filter((what) => what === "list").length
    expect(lists()).toBe(0)
    deliver(ready([]))
    await until(() => lists() === 1)
    reconnect()
    deliver(ready([]))
    await until(() => lists() === 2)
    stop()
  })

  test("resumes by the server's times, though the clock of the device is a day ahead", async () => {
    setSystemTime(new Date(Date.now() + 24 * 60 * 60 * 1000))
    const { started, reconnect, deliver, sent, resumeAt, stop } = scene(6, 5)
    await started()
    deliver(ready([]))
    deliver(sent(6))
    reconnect()
    const since = new Date(Date.parse(aMessage(6, BOB).at) - 60_000).toISOString()
    expect(resumeAt()).toMatchObject({ since })
    stop()
    setSystemTime()
  })

  test("a line that breaks again and again while the server refuses: the receipts are asked for by one", async () => {
    const { server, started, reconnect, deliver, asked, stop } = scene(5, 5)
    await started()
    reconnect()
    const lists = () => asked.filter((what) => what === "list").length
    const answers: (() => void)[] = []
    const answer = () => answers.shift()?.()
    server.says = () =>
      new Promise((resolve) => answers.push(() => resolve({ error: refused }))) as never
    for (let times = 0; times < 20; times += 1) deliver(ready([]))
    await until(() => lists() > 0)
    expect(lists()).toBe(1)
    // What was asked for before the last interruption ended may be older than that.
    server.says = undefined
    answer()
    await until(() => lists() === 2)
    deliver(ready([]))
    await until(() => lists() === 3)
    stop()
  })
})

const refused = new CombinedError({ networkError: new Error("refused") })

test("few conversations are fetched at a time because of what happened in them", async () => {
  const asked: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const fetching = (id: string) => {
    asked.push(id)
    return promise
  }
  const tasks = { conversation: fetching, count: fetching, fill: fetching }
  const needs = createNeeds(tasks, fetching, () => new AbortController().signal)
  for (let i = 0; i < 20; i++) needs.satisfy({ need: "conversation", conversation: `c${i}` })
  expect(asked).toHaveLength(4)
  resolve()
  await until(() => asked.length === 20)
})

test("the pauses between attempts grow up to 15 s", () => {
  const longest = spyOn(Math, "random").mockReturnValue(1)
  expect([backoff(0), backoff(5), backoff(6), backoff(50)]).toEqual([300, 9_600, 15_000, 15_000])
  longest.mockRestore()
})

test("a conversation comes with a hundred members, and so does each further page of them", async () => {
  const asked: unknown[] = []
  const members = { totalCount: 0, pageInfo: { hasNextPage: false, endCursor: null }, edges: [] }
  const client = {
    query(document: unknown, variables: object) {
      asked.push(variables)
      const data = { conversation: document === OneConversation ? null : { members } }
      return { toPromise: async () => ({ data }) }
    },
  } as unknown as Client
  const asking = createAsking(client, {} as never)
  await asking.picture("c1").catch(() => {})
  await asking.members("c1", () => {})
  expect(asked).toMatchObject([{ members: 100 }, { first: 100 }])
})
