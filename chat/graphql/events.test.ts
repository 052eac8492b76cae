import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { SHARED_NEXT } from "@parley/link/protocol.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import { POSITIONS, POSITIONS_PER_PERSON, SUBSCRIPTIONS_PER_PERSON } from "../limits.ts"
import { openStore } from "../store/store.ts"
import { openLink } from "../test/link.ts"
import { messageId } from "../test/log-builder.ts"
import { type Node, startNode } from "../test/node.ts"

const folder = temporaryFolder()
let node: Node
beforeAll(async () => {
  node = await startNode(folder.path)
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const EVENTS = `subscription Events($after: [PositionInput!]) { events(after: $after) {
  __typename
  ... on Ready { recovered reload { id } }
  ... on LogEvent { seq conversation { id title } }
  ... on MessageSent { message { id text sender { id } } }
  ... on ReceiptMoved { user { id } read }
} }`
/** The same, and how many are unread: this depends on who asks. */
const OWN_EVENTS = EVENTS.replace("id title", "id title unreadCount")

async function newGroup(...members: string[]): Promise<string> {
  const { data } = await node.ask<{ createGroup: { id: string } }>(
    "alice",
    `mutation ($members: [ID!]!) { createGroup(title: "Friends", members: $members) { id } }`,
    { members },
  )
  return data!.createGroup.id
}
async function say(sender: string, conversation: string, text: string): Promise<number> {
  const { data, errors } = await node.ask<{ sendMessage: { seq: number } }>(
    sender,
    "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }",
    { input: { id: messageId(), conversation, text } },
  )
  expect(errors).toBeUndefined()
  return data!.sendMessage.seq
}
const typesOf = (payloads: { data?: Record<string, Record<string, unknown>> }[]) =>
  payloads.map(({ data }) => data!.events!.__typename)

describe("on a link with shared frames", () => {
  test("one frame answers all subscriptions of one document, and each ends by itself", async () => {
    await using link = await openLink(node, [SHARED_NEXT, "from the future"])
    expect(link.ack.payload).toEqual({ features: [SHARED_NEXT] })
    const group = await newGroup("bob", "carol")
    const ids = ["alice", "bob", "carol"]
    for (const user of ids) link.subscribe(user, user, EVENTS)
    for (const user of ids) await until(() => link.payloads(user).length === 1, "readiness")
    await say("alice", group, "to all")
    for (const user of ids) await until(() => link.payloads(user).length === 2, "the message")
    const spoken = link.texts.filter((frame) => frame.includes("to all"))
    expect(spoken).toHaveLength(1)
    expect(spoken[0]).toStartWith(`{"type":"next","ids":["alice","bob","carol"],"payload":{"data"`)

    link.complete("bob")
    await node.ask("alice", "{ __typename }")
    await say("alice", group, "to two")
    await until(() => link.payloads("carol").length === 3, "the second message")
    expect(link.payloads("bob")).toHaveLength(2)
    expect(link.texts.find((frame) => frame.includes("to two"))).toStartWith(
      `{"type":"next","ids":["alice","carol"]`,
    )
  })

  test("a document that depends on the viewer gives each viewer their own", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const group = await newGroup("bob")
    for (const user of ["alice", "bob"]) link.subscribe(user, user, OWN_EVENTS)
    for (const user of ["alice", "bob"]) {
      await until(() => link.payloads(user).length === 1, "readiness")
    }
    await say("alice", group, "unread by Bob")
    for (const user of ["alice", "bob"]) {
      await until(() => link.payloads(user).length === 2, "the message")
    }
    const unread = (user: string) => link.payloads(user)[1]!.data!.events!.conversation
    expect([unread("alice"), unread("bob")]).toEqual([
      { id: group, title: "Friends", unreadCount: 0 },
      { id: group, title: "Friends", unreadCount: 1 },
    ])
  })
})

describe("on a plain graphql-ws connection", () => {
  test("every frame has one id, and the same content", async () => {
    await using plain = await openLink(node)
    await using shared = await openLink(node, [SHARED_NEXT])
    expect(plain.ack.payload).toBeUndefined()
    const group = await newGroup("bob")
    for (const link of [plain, shared]) {
      for (const id of ["1", "2"]) link.subscribe(id, "bob", EVENTS)
      for (const id of ["1", "2"]) await until(() => link.payloads(id).length === 1, "readiness")
    }
    await say("alice", group, "hello")
    for (const link of [plain, shared]) {
      for (const id of ["1", "2"]) await until(() => link.payloads(id).length === 2, "the message")
    }
    expect(plain.texts.filter((frame) => frame.includes("hello"))).toHaveLength(2)
    expect(plain.texts.join()).not.toContain(`"ids"`)
    expect(plain.payloads("1")).toEqual(shared.payloads("1"))
    expect(plain.payloads("2")).toEqual(plain.payloads("1"))
  })

  test("a stock graphql-ws client is served", async () => {
    const client = node.connect()
    const group = await newGroup("dave")
    const received: unknown[] = []
    const extensions = { token: "dave" }
    const stop = client.subscribe(
      { query: EVENTS, variables: { after: [{ conversation: group, seq: 0 }] }, extensions },
      { next: (value) => received.push(value.data), error: () => {}, complete: () => {} },
    )
    await until(() => received.length >= 2, "the group and readiness")
    await say("alice", group, "hello")
    await until(() => received.length >= 3, "the message")
    expect(received.at(-1)).toMatchObject({ events: { seq: 2, message: { text: "hello" } } })
    stop()
  })
})

describe("over the wire", () => {
  test("a subscription is resumed on another connection without a hole or a double", async () => {
    const group = await newGroup("bob")
    const seqs: number[] = []
    let seq = 0
    for (let round = 0; round < 4; round++) {
      await using link = await openLink(node, [SHARED_NEXT])
      link.subscribe("s", "bob", EVENTS, { after: [{ conversation: group, seq }] })
      await say("alice", group, `${round} a`)
      const last = await say("alice", group, `${round} b`)
      const entries = () =>
        link
          .payloads("s")
          .flatMap(({ data }) =>
            (data!.events!.conversation as { id: string })?.id === group
              ? [data!.events!.seq as number]
              : [],
          )
      await until(() => entries().includes(last), "the last message")
      seqs.push(...entries())
      seq = last
      await say("alice", group, "while Bob is away")
    }
    expect(seqs).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
  })

  test("whoever is removed hears of it, and of nothing after it", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const group = await newGroup("bob")
    link.subscribe("bob", "bob", OWN_EVENTS)
    link.subscribe("alice", "alice", OWN_EVENTS)
    for (const id of ["alice", "bob"])
      await until(() => link.payloads(id).length === 1, "readiness")
    await node.ask(
      "alice",
      `mutation { removeMember(conversation: "${group}", user: "bob") { id } }`,
    )
    await say("alice", group, "about Bob")
    await until(() => link.payloads("alice").length === 3, "the message")
    expect(typesOf(link.payloads("bob"))).toEqual(["Ready", "MembersChanged"])
    const back = await node.ask("bob", `{ conversation(id: "${group}") { id } }`)
    expect(back.errors?.[0]?.extensions.code).toBe("NOT_FOUND")
  })

  test("a time that is yet to come hides nothing that was missed", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const group = await newGroup("ivan")
    await say("alice", group, "missed")
    const query = EVENTS.replace("($after: [PositionInput!])", "($since: DateTime)")
    const since = (ms: number) => ({ since: new Date(Date.now() + ms).toISOString() })
    const ask = query.replace("after: $after", "since: $since")
    link.subscribe("now", "ivan", ask, since(0))
    link.subscribe("to come", "ivan", ask, since(60_000))
    await until(() => link.payloads("to come").length === 3, "what was missed, and readiness")
    expect(typesOf(link.payloads("to come"))).toEqual(["MembersChanged", "MessageSent", "Ready"])
    await until(() => link.payloads("now").length === 1, "readiness")
    expect(typesOf(link.payloads("now"))).toEqual(["Ready"])
  })

  test("receipts reach those whose messages they are about", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const group = await newGroup("bob", "carol")
    const seq = await say("alice", group, "read me")
    for (const id of ["alice", "bob", "carol"]) link.subscribe(id, id, EVENTS)
    for (const id of ["alice", "bob", "carol"]) {
      await until(() => link.payloads(id).length === 1, "readiness")
    }
    await node.ask("bob", `mutation { markRead(conversation: "${group}", seq: ${seq}) { read } }`)
    for (const id of ["alice", "bob"])
      await until(() => link.payloads(id).length === 2, "the receipt")
    expect(link.payloads("alice")[1]!.data!.events).toEqual({
      ...{ __typename: "ReceiptMoved", user: { id: "bob" }, read: seq },
    })
    await say("alice", group, "after it")
    await until(() => link.payloads("carol").length === 2, "the message")
    expect(typesOf(link.payloads("carol"))).toEqual(["Ready", "MessageSent"])
  })

  test("10,000 subscriptions on one link are served, and leave nothing behind", async () => {
    const people = Array.from({ length: 100 }, (_, i) => `guest${i}`)
    const group = await newGroup("bob", ...people)
    {
      await using link = await openLink(node, [SHARED_NEXT])
      for (let i = 0; i < 10_000; i++) link.subscribe(`${i}`, people[i % 100], EVENTS)
      await until(() => link.frames.length > 10_000, "all ready")
      await say("alice", group, "to ten thousand")
      await until(
        () => link.texts.some((frame) => frame.includes("to ten thousand")),
        "the message",
      )
      const spoken = link.frames.filter(({ ids }) => ids && ids.length > 1)
      expect(spoken.flatMap(({ ids }) => ids)).toHaveLength(10_000)
    }
    await using link = await openLink(node, [SHARED_NEXT])
    link.subscribe("s", "bob", EVENTS)
    await until(() => link.payloads("s").length === 1, "readiness")
    await say("alice", group, "to one")
    await until(() => link.payloads("s").length === 2, "the message")
    expect(link.texts.at(-1)).toStartWith(`{"type":"next","ids":["s"]`)
  }, 60_000)

  test("a person has so many subscriptions, and may open another when one has ended", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const ids = Array.from({ length: SUBSCRIPTIONS_PER_PERSON }, (_, i) => `many-${i}`)
    for (const id of ids) link.subscribe(id, "erin", EVENTS)
    link.subscribe("refused", "erin", EVENTS)
    link.subscribe("of another", "frank", EVENTS)
    const refused = await link.frame(({ id }) => id === "refused", "the refusal")
    expect(refused).toMatchObject({
      type: "error",
      payload: [{ extensions: { code: "RATE_LIMITED", retryAfterMs: 10_000 } }],
    })
    for (const id of [...ids, "of another"]) {
      await until(() => link.payloads(id).length === 1, "readiness")
    }
    link.complete(ids[0]!)
    link.subscribe("later", "erin", EVENTS)
    await until(() => link.payloads("later").length === 1, "readiness after an end")
  })

  describe("while replays wait", () => {
    const own = temporaryFolder()
    const letGo = Promise.withResolvers<void>()
    let busy: Node
    beforeAll(async () => {
      const store = await openStore({ dataDir: own.path })
      const { memberships } = store
      const waiting = async (...args: Parameters<typeof memberships>) => {
        await letGo.promise
        return memberships(...args)
      }
      busy = await startNode(own.path, { store: { ...store, memberships: waiting } })
    })
    afterAll(async () => {
      await busy[Symbol.asyncDispose]()
      own[Symbol.dispose]()
    })

    test("a person has so many of them and of their positions, and more when they are over", async () => {
      await using link = await openLink(busy, [SHARED_NEXT])
      const isRefused = async (id: string) => {
        const refused = await link.frame((frame) => frame.id === id, "the refusal")
        expect(refused.payload).toMatchObject([{ extensions: { code: "RATE_LIMITED" } }])
      }
      const after = Array.from({ length: POSITIONS }, (_, i) => ({ conversation: `${i}`, seq: 0 }))
      const full = Array.from({ length: POSITIONS_PER_PERSON / POSITIONS }, (_, i) => `full-${i}`)
      for (const id of full) link.subscribe(id, "grace", EVENTS, { after })
      for (const id of full) link.complete(id)
      link.subscribe("one more position", "grace", EVENTS, { after: after.slice(0, 1) })
      await isRefused("one more position")

      for (let i = 0; i < SUBSCRIPTIONS_PER_PERSON; i++) {
        link.subscribe(`gone-${i}`, "heidi", EVENTS)
        link.complete(`gone-${i}`)
      }
      link.subscribe("one more replay", "heidi", EVENTS)
      await isRefused("one more replay")

      letGo.resolve()
      let tries = 0
      await until(() => {
        if (link.payloads(`try-${tries}`).length > 0) return true
        tries += 1
        link.subscribe(`try-${tries}`, "grace", EVENTS, { after: after.slice(0, 1) })
        return false
      }, "the replays to be over")
    })
  })
})
