import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { SHARED_NEXT } from "@parley/link/protocol.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import { PAGE_BYTES } from "../limits.ts"
import { openLink } from "../test/link.ts"
import { messageId } from "../test/log-builder.ts"
import { type Node, startNode } from "../test/node.ts"

/** Four bytes each: the longest text has 32,000. */
const LONG = "𝒳".repeat(8_000)
const LONG_MESSAGES = 60

const folder = temporaryFolder()
let node: Node
let long: string
let short: string
beforeAll(async () => {
  node = await startNode(folder.path)
  long = await newGroup()
  for (let i = 0; i < LONG_MESSAGES; i++) await say(long, LONG)
  short = await newGroup()
  for (let i = 0; i < 60; i++) await say(short, `${i}`)
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

async function newGroup(): Promise<string> {
  const { data } = await node.ask<{ createGroup: { id: string } }>(
    "alice",
    `mutation { createGroup(title: "Friends", members: ["bob"]) { id } }`,
  )
  return data!.createGroup.id
}
async function say(conversation: string, text: string): Promise<void> {
  const { errors } = await node.ask(
    "alice",
    "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }",
    { input: { id: messageId(), conversation, text } },
  )
  expect(errors).toBeUndefined()
}

interface Page {
  edges: { node: { seq: number; text: string } }[]
  pageInfo: {
    hasNextPage: boolean
    hasPreviousPage: boolean
    startCursor: string
    endCursor: string
  }
}
const askMessages = async (args: string): Promise<Page> => {
  const { data } = await node.ask<{ conversation: { messages: Page } }>(
    "alice",
    `{ conversation(id: "${long}") { messages(${args}) { edges { node { seq text } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
  )
  return data!.conversation.messages
}
const bytesOf = ({ edges }: Page) =>
  edges.reduce((sum, { node }) => sum + Buffer.byteLength(node.text), 0)
const seqs = Array.from({ length: LONG_MESSAGES }, (_, i) => i + 2)

describe("a page of long texts", () => {
  test("ends early and says so, and the pages lead through all of them, from either end", async () => {
    for (const [size, cursor, more, next] of [
      ["first", "after", "hasNextPage", "endCursor"],
      ["last", "before", "hasPreviousPage", "startCursor"],
    ] as const) {
      const read: number[] = []
      let place = ""
      for (let isMore = true; isMore; ) {
        const page = await askMessages(`${size}: 50${place}`)
        expect(bytesOf(page)).toBeLessThanOrEqual(PAGE_BYTES)
        const found = page.edges.map(({ node }) => node.seq)
        if (size === "first") read.push(...found)
        else read.unshift(...found)
        isMore = page.pageInfo[more]
        if (isMore) expect(found).toHaveLength(16)
        place = `, ${cursor}: "${page.pageInfo[next]}"`
      }
      expect(read).toEqual(seqs)
    }
  })

  test("of a log ends early too, and asking on from its last seq leads to the head", async () => {
    const read: number[] = []
    let largest = 0
    for (let after = 1; after < LONG_MESSAGES + 1; after = read.at(-1)!) {
      const { data } = await node.ask<{ conversation: { log: { seq: number }[] } }>(
        "alice",
        `{ conversation(id: "${long}") { log(after: ${after}, first: 1000) { seq } } }`,
      )
      largest = Math.max(largest, data!.conversation.log.length)
      read.push(...data!.conversation.log.map(({ seq }) => seq))
    }
    expect(read).toEqual(seqs)
    expect(largest).toBeLessThan(LONG_MESSAGES)
  })
})

describe("an answer that grows too large", () => {
  const aliases = (count: number, field: string) =>
    Array.from({ length: count }, (_, i) => `a${i}: ${field}`).join(" ")
  const nested = (levels: number): string =>
    levels === 0
      ? "edges { node { id } }"
      : `edges { node { id conversation { messages { ${nested(levels - 1)} } } } }`

  test.each([
    [
      "one page under many names",
      () =>
        `{ conversation(id: "${long}") { ${aliases(49, "messages(last: 50) { edges { node { text } } }")} } }`,
    ],
    [
      "many logs",
      () =>
        `{ ${aliases(10, `conversation(id: "${long}") { log(after: 0, first: 1000) { ... on MessageSent { message { text } } } }`)} }`,
    ],
    [
      "lists in lists without a size",
      () => `{ conversation(id: "${short}") { messages { ${nested(3)} } } }`,
    ],
    [
      "one item with many names for its id",
      () =>
        `{ conversation(id: "${short}") { messages { edges { node { conversation { messages { edges { node { ${aliases(90, "id")} } } } } } } } } }`,
    ],
  ])("is refused with one error, and its work stops at once: %s", async (_what, query) => {
    const before = process.cpuUsage()
    const { data, errors } = await node.ask("alice", query())
    const { user } = process.cpuUsage(before)
    expect(data).toBeNull()
    expect(errors).toEqual([
      expect.objectContaining({ extensions: { code: "TOO_LARGE", retryable: false } }),
    ])
    expect(user / 1000).toBeLessThan(2_000)
  })

  test("by entity look-ups is refused, too", async () => {
    const representations = Array.from({ length: 2_000 }, () => ({
      ...{ __typename: "Conversation", id: short },
    }))
    const { errors } = await node.ask(
      "alice",
      "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Conversation { messages { edges { node { id text } } } } } }",
      { r: representations },
    )
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["TOO_LARGE"])
  })

  test("says how much an answer may have, and one within it is answered whole", async () => {
    const three = `{ conversation(id: "${long}") { ${aliases(3, "messages(last: 50) { edges { node { text } } }")} } }`
    const { data, errors } = await node.ask("alice", three)
    expect(errors).toBeUndefined()
    const { length } = Buffer.from(JSON.stringify(data))
    expect(length).toBeGreaterThan(1_400_000)
    expect(length).toBeLessThan(ANSWER_BYTES)
  })
})

describe("an event that grows too large", () => {
  test("ends the subscriptions of its document alone, with TOO_LARGE", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    const group = await newGroup()
    for (let i = 0; i < 60; i++) await say(group, `${i}`)
    const costly = `subscription { events { __typename ... on MessageSent { message { conversation {
      messages { edges { node { conversation { messages { edges { node { id } } } } } } } } } } } }`
    link.subscribe("costly", "alice", costly)
    link.subscribe(
      "modest",
      "bob",
      "subscription { events { __typename ... on LogEvent { seq } } }",
    )
    for (const id of ["costly", "modest"]) {
      await until(() => link.payloads(id).length === 1, "readiness")
    }
    await say(group, "for all")
    const ended = await link.frame(({ id, type }) => id === "costly" && type === "error", "the end")
    expect(ended.payload).toMatchObject([{ extensions: { code: "TOO_LARGE" } }])
    await until(() => link.payloads("modest").length === 2, "the message")
  })

  test("is none that names all members of the largest group", async () => {
    await using link = await openLink(node, [SHARED_NEXT])
    link.subscribe(
      "s",
      "alice",
      "subscription { events { __typename ... on MembersChanged { joined { __typename id } promoted { id } } } }",
    )
    await until(() => link.payloads("s").length === 1, "readiness")
    const members = Array.from({ length: 1_023 }, (_, i) => `member${i}`)
    await node.ask(
      "alice",
      `mutation ($m: [ID!]!) { createGroup(title: "All", members: $m) { id } }`,
      { m: members },
    )
    await until(() => link.payloads("s").length === 2, "the founding")
    expect(link.payloads("s")[1]!.data!.events!.joined).toHaveLength(1_024)
  })
})

test("a person's costly queries keep another's small one waiting for little", async () => {
  await using link = await openLink(node)
  const costly = `{ conversation(id: "${short}") { messages(last: 60) { edges { node { id conversation {
    messages(last: 60) { edges { node { id status } } } } } } } } }`
  for (let i = 0; i < 8; i++) link.subscribe(`costly-${i}`, "alice", costly)
  link.subscribe(
    "small",
    "bob",
    `{ conversation(id: "${short}") { messages(last: 5) { edges { node { id } } } } }`,
  )
  await until(() => link.frames.filter(({ type }) => type === "next").length === 9, "all answers")
  const order = link.frames.filter(({ type }) => type === "next").map(({ id }) => id)
  expect(order.indexOf("small")).toBeLessThanOrEqual(1)
})
