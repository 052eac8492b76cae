import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { ERROR_CODES, isErrorCode } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { openStore, type Store } from "../store/store.ts"
import { openLink } from "../test/link.ts"
import { messageId } from "../test/log-builder.ts"
import { type Node, SECRET, startNode } from "../test/node.ts"

const folder = temporaryFolder()
let node: Node
let store: Store
let link: Awaited<ReturnType<typeof openLink>>
let group: string
let foreign: string
let known: string
/** Whatever was masked as INTERNAL: nothing that a client sends may be. */
const internal: unknown[] = []
const log: Logger = {
  ...silentLogger,
  error: (event, fields) => internal.push({ event, ...fields }),
}

beforeAll(async () => {
  store = await openStore({ dataDir: folder.path })
  node = await startNode(folder.path, { store, log })
  link = await openLink(node)
  const create = async (by: string, members: string[]) =>
    (
      await node.ask<{ createGroup: { id: string } }>(
        by,
        `mutation ($of: [ID!]!) { createGroup(title: "T", members: $of) { id } }`,
        { of: members },
      )
    ).data!.createGroup.id
  group = await create("alice", ["bob"])
  foreign = await create("mallory", [])
  known = messageId()
  await ask("http", SEND, { input: { id: known, conversation: group, text: "it is here" } })
})
afterAll(async () => {
  await link[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})
afterEach(async () => {
  expect(internal.splice(0)).toEqual([])
  // Nothing that is stored was harmed, nothing was added, and the link still serves everyone else.
  const entries = await store.entries(group, 0, 100)
  expect(entries.map(({ seq }) => seq)).toEqual([1, 2])
  expect(entries[1]).toMatchObject({ id: known, text: "it is here" })
  expect(await store.entries(foreign, 0, 100)).toHaveLength(1)
  expect(link.isClosed).toBe(false)
})

const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id seq } }"

interface Refusal {
  message: string
  path?: unknown[]
  extensions: { code: string; retryable: boolean; field?: string }
}

let asked = 0
/** The errors of an operation of Alice's, over HTTP or over the link. */
async function ask(
  way: "http" | "link",
  query: string,
  variables: object = {},
): Promise<Refusal[]> {
  if (way === "link") {
    asked += 1
    const { type, payload } = await link.ask(`${asked}`, "alice", query, variables)
    return type === "error"
      ? (payload as Refusal[])
      : ((payload as { errors?: Refusal[] }).errors ?? [])
  }
  const response = await post({ query, variables })
  expect(response.status).toBeLessThan(500)
  return ((await response.json()) as { errors?: Refusal[] }).errors ?? []
}
const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${node.port}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      [SECRET_HEADER]: SECRET,
      authorization: "Bearer alice",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })

/** Asks both ways, and expects the one refusal. */
async function expectRefused(query: string, variables: object, code: string, field?: string) {
  for (const way of ["http", "link"] as const) {
    const errors = await ask(way, query, variables)
    const [error] = errors
    expect([way, errors.length > 0]).toEqual([way, true])
    for (const { extensions } of errors) expect(isErrorCode(extensions.code)).toBe(true)
    expect(error!.extensions).toMatchObject({
      code,
      retryable: ERROR_CODES[code as keyof typeof ERROR_CODES].retryable,
    })
    if (field !== undefined) expect(error!.extensions.field).toContain(field)
    expect(JSON.stringify(errors)).not.toMatch(/stacktrace|node_modules|\.ts:|SQLITE/i)
  }
}

describe("a message", () => {
  test.each([
    ["of no characters", { text: "" }, "text"],
    ["of nothing", { text: null }, "text"],
    ["without a text", { text: undefined }, "text"],
    ["of 8,001 characters", { text: "x".repeat(8_001) }, "text"],
    ["of 200,000 characters", { text: "x".repeat(200_000) }, "text"],
    ["with half a surrogate pair", { text: "a\ud83d" }, "text"],
    ["with the other half", { text: "\ude00" }, "text"],
    ["with a NUL", { text: "a\0b" }, "text"],
    ["whose text is an object", { text: { $gt: "" } }, "text"],
    ["whose text is a number", { text: 7 }, "text"],
    ["whose id is a UUIDv4", { id: crypto.randomUUID() }, "id"],
    ["whose id is upper case", { id: messageId().toUpperCase() }, "id"],
    ["whose id lies more than a day ahead", { id: messageId(Date.now() + 25 * 3600 * 1000) }, "id"],
    ["whose id is an operator", { id: `{"$gt":""}` }, "id"],
    ["whose id is an object", { id: { $gt: "" } }, "id"],
    ["whose id is a prototype's key", { id: "__proto__" }, "id"],
    ["without an id", { id: undefined }, "id"],
    ["to an operator", { conversation: `{"$ne":null}` }, "conversation"],
    ["to a list", { conversation: ["a", "b"] }, "conversation"],
    ["to an id of 10,000 characters", { conversation: "x".repeat(10_000) }, "conversation"],
    ["with a field of another world", { admin: true }, "admin"],
  ] as [string, object, string][])("%s is BAD_INPUT", async (_what, change, field) => {
    const input = { id: messageId(), conversation: group, text: "hello", ...change }
    await expectRefused(SEND, { input }, "BAD_INPUT", field)
  })

  test("to an unknown conversation, and to someone else's, is NOT_FOUND alike", async () => {
    for (const conversation of [messageId(), foreign, "__proto__", "constructor", "toString"]) {
      const input = { id: messageId(), conversation, text: "hello" }
      await expectRefused(SEND, { input }, "NOT_FOUND")
    }
  })

  test("of a taken id with another text is CONFLICT", async () => {
    const input = { id: known, conversation: group, text: "it is another" }
    await expectRefused(SEND, { input }, "CONFLICT")
  })

  test("may carry what looks like an attack, as the text that it is", async () => {
    const note = (
      await node.ask<{ startDirect: { id: string } }>(
        "alice",
        `mutation { startDirect(user: "alice") { id } }`,
      )
    ).data!
    for (const text of [
      `{"$gt":""}`,
      "'; DROP TABLE entries; --",
      "__proto__",
      "<script>alert(1)</script>",
    ]) {
      const input = { id: messageId(), conversation: note.startDirect.id, text }
      expect(await ask("http", SEND, { input })).toEqual([])
      const read = await node.ask<{ message: { text: string } }>(
        "alice",
        `{ message(id: "${input.id}") { text } }`,
      )
      expect(read.data?.message.text).toBe(text)
    }
  })
})

describe("a watermark", () => {
  const MARK = "mutation ($c: ID!, $seq: Int!) { markRead(conversation: $c, seq: $seq) { read } }"
  test.each([
    ["beyond the head", 3],
    ["far beyond the head", 2 ** 31 - 1],
    ["below zero", -1],
    ["of a fraction", 1.5],
    ["too large for a number", 2 ** 31],
    ["of a text", "1"],
    ["of nothing", null],
  ] as [string, unknown][])("%s is BAD_INPUT", async (_what, seq) => {
    await expectRefused(MARK, { c: group, seq }, "BAD_INPUT", "seq")
  })

  test("in a conversation of others is NOT_FOUND, whatever the seq", async () => {
    for (const seq of [0, 1, 999]) {
      await expectRefused(MARK, { c: foreign, seq }, "NOT_FOUND")
      await expectRefused(MARK, { c: "nowhere", seq }, "NOT_FOUND")
    }
  })
})

describe("reading", () => {
  const of = (selection: string) => `query ($c: ID!) { conversation(id: $c) { ${selection} } }`

  test("what is not there, and what is someone else's, is NOT_FOUND alike", async () => {
    const answers = new Set<string>()
    for (const id of [foreign, messageId(), "nowhere", "__proto__", "hasOwnProperty"]) {
      await expectRefused(of("id"), { c: id }, "NOT_FOUND")
      const [error] = await ask("http", of("id"), { c: id })
      answers.add(JSON.stringify({ ...error, locations: undefined }))
    }
    expect(answers.size).toBe(1)
    await expectRefused(
      "query ($id: ID!) { message(id: $id) { text } }",
      { id: messageId() },
      "NOT_FOUND",
    )
  })

  test.each([
    ["messages(first: -1) { edges { cursor } }", "first"],
    ["messages(first: 0) { edges { cursor } }", "first"],
    ["messages(last: 201) { edges { cursor } }", "last"],
    ["messages(last: 2147483647) { edges { cursor } }", "last"],
    ["messages(first: 1, last: 1) { edges { cursor } }", "first"],
    [`messages(last: 1, before: "nonsense") { edges { cursor } }`, "before"],
    [`messages(last: 1, before: "") { edges { cursor } }`, "before"],
    [`messages(first: 1, after: "${btoa("m -1")}") { edges { cursor } }`, "after"],
    [`messages(first: 1, after: "${btoa("m 1.5")}") { edges { cursor } }`, "after"],
    [`messages(first: 1, after: "${btoa("m 1 2")}") { edges { cursor } }`, "after"],
    [
      `messages(first: 1, after: "${btoa("m 99999999999999999999")}") { edges { cursor } }`,
      "after",
    ],
    [`messages(first: 1, after: "${btoa("m NaN")}") { edges { cursor } }`, "after"],
    [`messages(first: 1, after: "${btoa("u alice")}") { edges { cursor } }`, "after"],
    [`messages(first: 1, after: "${"x".repeat(5_000)}") { edges { cursor } }`, "after"],
    ["members(first: 0) { totalCount }", "first"],
    ["members(first: 201) { totalCount }", "first"],
    [`members(after: "broken") { totalCount }`, "after"],
    ["log(after: -1) { seq }", "after"],
    ["log(after: 0, first: 0) { seq }", "first"],
    ["log(after: 0, first: 1001) { seq }", "first"],
  ])("%s is BAD_INPUT", async (selection, field) => {
    await expectRefused(of(selection), { c: group }, "BAD_INPUT", field)
  })

  test.each([
    ["conversations(first: -5)", "first"],
    ["conversations(first: 1000000)", "first"],
    [`conversations(after: "broken")`, "after"],
    [`conversations(after: "${btoa("c yesterday group")}")`, "after"],
    [`conversations(after: "${btoa("c 1")}")`, "after"],
    [`conversations(after: "${btoa("c  ")}")`, "after"],
  ])("%s is BAD_INPUT", async (field, name) => {
    await expectRefused(`{ ${field} { edges { cursor } } }`, {}, "BAD_INPUT", name)
  })

  test("a variable that is null where its default may not be is BAD_INPUT", async () => {
    const query =
      "query ($c: ID!, $after: Int = 0) { conversation(id: $c) { log(after: $after) { seq } } }"
    await expectRefused(query, { c: group, after: null }, "BAD_INPUT", "after")
    const first =
      "query ($c: ID!, $n: Int) { conversation(id: $c) { log(after: 0, first: $n) { seq } } }"
    await expectRefused(first, { c: group, n: null }, "BAD_INPUT", "first")
  })
})

describe("a change of members", () => {
  test.each([
    [`createGroup(title: "", members: []) { id }`, "BAD_INPUT", "title"],
    [`createGroup(title: "T\\u0000", members: []) { id }`, "BAD_INPUT", "title"],
    [`createGroup(title: "${"x".repeat(101)}", members: []) { id }`, "BAD_INPUT", "title"],
    [`createGroup(title: "T", members: [""]) { id }`, "BAD_INPUT", "members"],
    [`createGroup(title: "T", members: ["{\\"$gt\\":\\"\\"}"]) { id }`, "BAD_INPUT", "members"],
    [`createGroup(title: "T", members: ["Nobody"]) { id }`, "NOT_FOUND", undefined],
    [`createGroup(title: "T", members: ["__proto__"]) { id }`, "NOT_FOUND", undefined],
    [`startDirect(user: "a b") { id }`, "BAD_INPUT", "user"],
    [`startDirect(user: "Nobody") { id }`, "NOT_FOUND", undefined],
    [`addMembers(conversation: "nowhere", users: ["bob"]) { id }`, "NOT_FOUND", undefined],
    [`removeMember(conversation: "nowhere", user: "bob") { id }`, "NOT_FOUND", undefined],
    [`leaveConversation(conversation: "nowhere")`, "NOT_FOUND", undefined],
    [`leaveConversation(conversation: "")`, "BAD_INPUT", "conversation"],
  ])("%s is refused", async (field, code, name) => {
    await expectRefused(`mutation { ${field} }`, {}, code, name)
  })

  test("in a conversation of others is NOT_FOUND", async () => {
    for (const field of [
      `addMembers(conversation: "${foreign}", users: ["alice"]) { id }`,
      `removeMember(conversation: "${foreign}", user: "mallory") { id }`,
      `leaveConversation(conversation: "${foreign}")`,
    ]) {
      await expectRefused(`mutation { ${field} }`, {}, "NOT_FOUND")
    }
  })

  test("of more members than a group has is BAD_INPUT", async () => {
    const members = Array.from({ length: 5_000 }, (_, i) => `user${i}`)
    const query = `mutation ($of: [ID!]!) { createGroup(title: "T", members: $of) { id } }`
    await expectRefused(query, { of: members }, "BAD_INPUT", "members")
  })
})

describe("a document", () => {
  const cyclic = "{ __typename ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
  const deep = `{ conversation(id: "x") ${"{ lastMessage { conversation ".repeat(1_200)}{ id }${"} }".repeat(1_200)} }`
  test.each([
    ["that is none", "this is no GraphQL", "GRAPHQL_PARSE_FAILED"],
    ["that is empty", "", "GRAPHQL_PARSE_FAILED"],
    ["of 20,000 tokens", `{ ${"__typename ".repeat(20_000)} }`, "GRAPHQL_PARSE_FAILED"],
    ["that never ends", "{ a ".repeat(9_000), "GRAPHQL_PARSE_FAILED"],
    ["with an unknown field", "{ everything }", "GRAPHQL_VALIDATION_FAILED"],
    ["with a cycle of fragments", cyclic, "GRAPHQL_VALIDATION_FAILED"],
    [
      "with a literal of a wrong type",
      "mutation { markRead(conversation: 1.5, seq: true) { read } }",
      "GRAPHQL_VALIDATION_FAILED",
    ],
    [
      "with two root fields in a subscription",
      "subscription { a: events { __typename } b: events { __typename } }",
      "GRAPHQL_VALIDATION_FAILED",
    ],
  ])("%s is refused", async (_what, query, code) => {
    await expectRefused(query, {}, code)
  })

  test("2,400 levels deep is answered or refused, and harms nobody", async () => {
    for (const way of ["http", "link"] as const) {
      for (const { extensions } of await ask(way, deep)) {
        expect(extensions.code).toBeOneOf(["NOT_FOUND", "GRAPHQL_PARSE_FAILED", "BAD_INPUT"])
      }
    }
  })

  test("of several operations, none of them named, is BAD_INPUT", async () => {
    await expectRefused("query A { __typename } query B { __typename }", {}, "BAD_INPUT")
  })

  test("that is a subscription over HTTP is BAD_INPUT", async () => {
    const [error] = await ask("http", "subscription { events { __typename } }")
    expect(error!.extensions).toMatchObject({ code: "BAD_INPUT", retryable: false })
  })
})

describe("a subscription", () => {
  const EVENTS = "subscription ($after: [PositionInput!]) { events(after: $after) { __typename } }"
  test.each([
    ["a seq below zero", [{ conversation: "a", seq: -1 }]],
    ["a seq that is none", [{ conversation: "a", seq: "1" }]],
    ["no conversation", [{ seq: 1 }]],
    ["an operator", [{ conversation: { $gt: "" }, seq: 1 }]],
    [
      "10,001 positions",
      Array.from({ length: 10_001 }, (_, i) => ({ conversation: `${i}`, seq: 1 })),
    ],
  ] as [string, unknown][])(
    "after %s is BAD_INPUT, and ends by itself alone",
    async (_what, after) => {
      asked += 1
      const id = `${asked}`
      link.subscribe(id, "alice", EVENTS, { after })
      const frame = await link.frame((frame) => frame.id === id, "the refusal")
      expect(frame).toMatchObject({
        type: "error",
        payload: [
          { extensions: { code: "BAD_INPUT", retryable: false, field: expect.any(String) } },
        ],
      })
      expect(link.isClosed).toBe(false)
    },
  )

  test("from positions in conversations of others, or beyond the head, is told nothing of them", async () => {
    await using own = await openLink(node)
    const after = [
      { conversation: foreign, seq: 0 },
      { conversation: "__proto__", seq: 0 },
      { conversation: group, seq: 2_147_483_647 },
    ]
    own.subscribe(
      "s",
      "bob",
      EVENTS.replace("__typename", "__typename ... on Ready { reload { id } }"),
      { after },
    )
    const frame = await own.frame(({ id }) => id === "s", "readiness")
    expect(frame.payload).toEqual({
      data: { events: { __typename: "Ready", reload: [{ id: group }] } },
    })
  })

  test("without a viewer is UNAUTHENTICATED", async () => {
    asked += 1
    const id = `${asked}`
    link.subscribe(id, undefined, EVENTS)
    expect(await link.frame((frame) => frame.id === id)).toMatchObject({
      ...{
        type: "error",
        payload: [{ extensions: { code: "UNAUTHENTICATED", retryable: false } }],
      },
    })
  })
})

describe("whoever is not signed in", () => {
  test("may do nothing", async () => {
    for (const query of [
      "{ conversations { edges { cursor } } }",
      `mutation { startDirect(user: "bob") { id } }`,
    ]) {
      const response = await post({ query }, { authorization: "" })
      expect(await response.json()).toMatchObject({
        errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
      })
      const refused = await post({ query }, { authorization: "Bearer Not-A-Token" })
      expect(await refused.json()).toMatchObject({
        errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
      })
    }
  })

  test("is told nothing by entity look-ups", async () => {
    const query =
      "query ($of: [_Any!]!) { _entities(representations: $of) { __typename ... on Conversation { title } ... on Message { text } } }"
    const of = [
      { __typename: "Conversation", id: group },
      { __typename: "Message", id: known },
    ]
    const bare = await post({ query, variables: { of } }, { authorization: "" })
    const answer = (await bare.json()) as { data?: unknown; errors: Refusal[] }
    for (const { extensions } of answer.errors) expect(extensions.code).toBe("UNAUTHENTICATED")
    expect(JSON.stringify(answer)).not.toContain("it is here")

    const others = await post({ query, variables: { of } }, { authorization: "Bearer mallory" })
    expect(JSON.stringify(await others.json())).not.toMatch(/it is here|"title":"T"/)
  })
})
