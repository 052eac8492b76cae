import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { until } from "@parley/testing/until.ts"
import { WRITE_LIMITS } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { messageId } from "../test/log-builder.ts"
import { openSubscription } from "../test/subscriber.ts"
import { createWorld, logOf, refusal, send, type World } from "../test/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld(2)
})
afterAll(() => world[Symbol.asyncDispose]())

const newGroup = (...others: string[]) =>
  world.nodes[0]!.services.groups.create("alice", "Friends", others)
const texts = async (conversation: string) =>
  (await logOf(world.store, conversation)).flatMap((entry) =>
    entry.kind === "message" ? [`${entry.seq} ${entry.by}: ${entry.text}`] : [],
  )
const id = () => messageId(world.clock.now())
const [node, elsewhere] = [() => world.nodes[0]!, () => world.nodes[1]!]
const conflict = { code: "CONFLICT" }

describe("the same message", () => {
  test("sent five times at once, over two nodes, is stored once and answered five times", async () => {
    for (let round = 0; round < 20; round++) {
      const conversation = await newGroup("bob")
      const same = id()
      const sent = await Promise.all(
        [0, 1, 0, 1, 0].map((at) => send(world.nodes[at]!, "alice", conversation, "once", same)),
      )
      expect(sent).toEqual(sent.map(() => sent[0]!))
      expect(await texts(conversation)).toEqual(["2 alice: once"])
    }
  })

  test("sent again later, on either node, is the message that is stored", async () => {
    const conversation = await newGroup("bob")
    const same = id()
    const first = await send(node(), "alice", conversation, "once", same)
    await send(elsewhere(), "bob", conversation, "in between")
    world.clock.time += 40 * 24 * 3600 * 1000
    expect(await send(node(), "alice", conversation, "once", same)).toEqual(first)
    expect(await send(elsewhere(), "alice", conversation, "once", same)).toEqual(first)
    expect(await texts(conversation)).toEqual(["2 alice: once", "3 bob: in between"])
  })

  test("can be asked for by its sender after they have left, and by nobody else", async () => {
    const conversation = await newGroup("bob")
    const same = id()
    const first = await send(node(), "bob", conversation, "my last words", same)
    await node().services.groups.leave("bob", conversation)
    expect(await send(elsewhere(), "bob", conversation, "my last words", same)).toEqual(first)
    expect(await refusal(send(node(), "bob", conversation, "no, these", same))).toMatchObject(
      conflict,
    )
    const notFound = { code: "NOT_FOUND" }
    expect(await refusal(send(node(), "bob", conversation, "more"))).toMatchObject(notFound)
    expect(
      await refusal(send(node(), "mallory", conversation, "my last words", same)),
    ).toMatchObject(notFound)
  })
})

describe("an id that is taken", () => {
  test.each(["one after the other", "at once", "at once on two nodes"])(
    "is refused to another text, sender or conversation, %s",
    async (how) => {
      const conversation = await newGroup("bob")
      const other = await newGroup("bob")
      const same = id()
      const first = send(node(), "alice", conversation, "mine", same)
      if (how === "one after the other") await first
      const at = how === "at once on two nodes" ? elsewhere() : node()
      const attempts = await Promise.allSettled([
        send(at, "alice", conversation, "mine, changed", same),
        send(at, "bob", conversation, "mine", same),
        send(at, "alice", other, "mine", same),
      ])
      const all = [...(await Promise.allSettled([first])), ...attempts]
      // Whoever came first has it; the other three are refused, and nothing of theirs is stored.
      expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
      for (const outcome of all) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject(conflict)
      }
      expect([...(await texts(conversation)), ...(await texts(other))]).toHaveLength(1)
    },
  )

  test("in the middle of a batch does not hold up the others of the batch", async () => {
    const conversation = await newGroup("bob")
    const retries = Array.from({ length: 150 }, () => id())
    for (const retry of retries) await send(node(), "alice", conversation, "before", retry)
    // As after a long interruption: everything again that may not have arrived, and what is new.
    const [again, fresh] = await Promise.all([
      Promise.all(retries.map((retry) => send(node(), "alice", conversation, "before", retry))),
      Promise.all(["a", "b", "c"].map((text) => send(node(), "bob", conversation, text))),
    ])
    expect(again.map(({ id }) => id)).toEqual(retries)
    expect(fresh.map(({ seq }) => seq)).toEqual([152, 153, 154])
  })
})

describe("a conversation", () => {
  test("keeps the order in which one sender sends", async () => {
    const conversation = await newGroup("bob")
    const sent = Array.from({ length: 600 }, (_, i) => `${i}`)
    await Promise.all(sent.map((text) => send(node(), "alice", conversation, text)))
    const stored = await world.store.messages(conversation, {
      ...{ from: 1, to: 1e6, limit: 1e6, order: "oldest" },
    })
    expect(stored.map(({ text }) => text)).toEqual(sent)
  })

  test("has a time that never steps back, though the clock does", async () => {
    const conversation = await newGroup("bob")
    const first = await send(node(), "alice", conversation)
    world.clock.time -= 60_000
    const second = await send(elsewhere(), "bob", conversation)
    const third = await send(node(), "alice", conversation)
    world.clock.time += 60_000
    expect([second.at, third.at]).toEqual([first.at, first.at])
  })

  test("counts in every entry the messages before it, all and its author's", async () => {
    const conversation = await newGroup("bob")
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        send(world.nodes[i % 2]!, i % 3 ? "alice" : "bob", conversation, `${i}`),
      ),
    )
    await node().services.groups.add("alice", conversation, ["carol"])
    await send(elsewhere(), "bob", conversation)
    const log = await logOf(world.store, conversation)
    let messages = 0
    let members = 0
    const authored: Record<string, number> = { alice: 0, bob: 0 }
    for (const { kind, by, seq, tally } of log) {
      if (kind === "message") messages += 1
      if (kind === "message") authored[by]! += 1
      if (kind === "members") members = seq
      expect(tally).toEqual({ messages, ofAuthor: authored[by]!, members })
    }
  })

  test("is refused to whoever has no business in it, before anything is written", async () => {
    const conversation = await newGroup("bob")
    const bad = [
      [send(node(), "alice", conversation, ""), { code: "BAD_INPUT", details: { field: "text" } }],
      [
        send(node(), "alice", "no such id"),
        { code: "BAD_INPUT", details: { field: "conversation" } },
      ],
      [
        send(node(), "alice", conversation, "x", "7"),
        { code: "BAD_INPUT", details: { field: "id" } },
      ],
      [send(node(), "mallory", conversation), { code: "NOT_FOUND" }],
    ] as const
    for (const [attempt, error] of bad) expect(await refusal(attempt)).toMatchObject(error)
    expect(await texts(conversation)).toEqual([])
  })
})

describe("a write whose outcome is not known", () => {
  test("is UNAVAILABLE, and the retry finds out what became of it", async () => {
    let fate: "lost before" | "lost after" | "kept" = "kept"
    await using world = await createWorld(1, (store) => ({
      store: {
        ...store,
        async append(entries): ReturnType<Store["append"]> {
          if (fate === "lost before") throw unavailable("the connection was lost")
          const stored = await store.append(entries)
          if (fate === "lost after") throw unavailable("the connection was lost")
          return stored
        },
      },
    }))
    const [node] = world.nodes
    const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
    await send(node!, "bob", conversation, "the node knows the group")
    const [before, after] = [messageId(0), messageId(0)]
    fate = "lost before"
    expect(await refusal(send(node!, "alice", conversation, "x", before))).toMatchObject({
      code: "UNAVAILABLE",
    })
    fate = "lost after"
    const bob = openSubscription(node!, "bob", undefined)
    await bob.replayed
    expect(await refusal(send(node!, "alice", conversation, "y", after))).toMatchObject({
      code: "UNAVAILABLE",
    })
    fate = "kept"
    expect(bob.entries()).toEqual([])
    expect(await send(node!, "alice", conversation, "y", after)).toMatchObject({ seq: 3 })
    // Whoever listens was not told when it was written, and is now.
    await until(() => bob.entries().length === 1, "the message")
    expect(await send(node!, "alice", conversation, "x", before)).toMatchObject({ seq: 4 })
    const log = await logOf(world.store, conversation)
    expect(log.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    await until(() => bob.entries().length === 2, "the other message")
    expect(bob.entries().map(({ seq }) => seq)).toEqual([3, 4])
  })
})

describe("a sender who may write no more", () => {
  test.each([
    ["ever", { TEXT_BYTES_PER_PERSON: 10 }, "FORBIDDEN"],
    ["today", { TEXT_BYTES_PER_DAY: 10 }, "RATE_LIMITED"],
  ])("%s still hears what became of a message that is stored", async (_, limits, code) => {
    await using full = await createWorld(2, undefined, limits)
    const [one, other] = full.nodes
    const conversation = await one!.services.groups.create("alice", "Friends", ["bob"])
    const same = messageId(full.clock.now())
    const stored = await send(one!, "alice", conversation, "0123456789", same)
    expect(await refusal(send(one!, "alice", conversation, "more"))).toMatchObject({ code })
    for (const node of [one!, other!]) {
      expect(await send(node, "alice", conversation, "0123456789", same)).toEqual(stored)
      expect(await refusal(send(node, "bob", conversation, "0123456789", same))).toMatchObject(
        conflict,
      )
    }
    await send(one!, "bob", conversation, "another's")
  })

  test("is told when to come again, and others write on", async () => {
    await using world = await createWorld(1, undefined, WRITE_LIMITS)
    const [node] = world.nodes
    const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
    const sent = await Promise.allSettled(
      Array.from({ length: 1_200 }, () => send(node!, "alice", conversation, "")),
    )
    expect(sent.every(({ status }) => status === "rejected")).toBe(true)
    const flood = await Promise.allSettled(
      Array.from({ length: 1_200 }, () => send(node!, "alice", conversation, "hello")),
    )
    const refused = flood.flatMap((one) => (one.status === "rejected" ? [one.reason] : []))
    // What is no message has cost nothing.
    expect(refused.length).toBeGreaterThan(150)
    expect(refused.length).toBeLessThanOrEqual(210)
    for (const { code, details } of refused) {
      expect(code).toBe("RATE_LIMITED")
      expect(details.retryAfterMs).toBeWithin(1, 1_000)
    }
    await send(node!, "bob", conversation)
  })

  test("is not told to wait for a clock that was set back", async () => {
    await using world = await createWorld(1, undefined, WRITE_LIMITS)
    const [node] = world.nodes
    const conversation = await node!.services.groups.create("alice", "Friends", [])
    const at = messageId(world.clock.now())
    await send(node!, "alice", conversation, "before", at)
    world.clock.time -= 2 * 60 * 60 * 1000
    await send(node!, "alice", conversation, "after", messageId(world.clock.now()))
    await node!.services.receipts.mark("alice", conversation, "read", 2)
    await node!.services.groups.create("alice", "More", [])
  })
})
