import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { execute, isInterfaceType, isObjectType, isUnionType, parse } from "graphql"
import type { ChatContainer } from "../context.ts"
import { createLog } from "../test/log-builder.ts"
import { unlimitedWork } from "../test/work.ts"
import { createWorld, send, type World } from "../test/world.ts"
import { resolvers } from "./resolvers.ts"
import { createSubscriptionCompiler } from "./subscription-compiler.ts"

let world: World
/** How often the nodes have asked the store, and what for. */
let calls: string[] = []
beforeAll(async () => {
  world = await createWorld(2, (store) => ({
    store: new Proxy(store, {
      get(target, key) {
        if (typeof key === "string") calls.push(key)
        return Reflect.get(target, key)
      },
    }),
  }))
})
afterAll(() => world[Symbol.asyncDispose]())

async function ask<Data>(
  node: ChatContainer,
  viewer: string | undefined,
  query: string,
  variableValues = {},
) {
  const contextValue = { viewer, services: node.services, work: unlimitedWork(node.turns) }
  const request = { schema: node.schema, document: parse(query), contextValue, variableValues }
  const { data, errors } = await execute(request)
  expect(errors?.map(({ message }) => message)).toBeUndefined()
  return data as Data
}

test("every resolver is one of a field that the schema has", () => {
  const [node] = world.nodes
  for (const [name, fields] of Object.entries(resolvers)) {
    const type = node!.schema.getType(name)
    expect([name, type !== undefined]).toEqual([name, true])
    if (isUnionType(type) || isInterfaceType(type))
      expect(Object.keys(fields)).toEqual(["__resolveType"])
    if (!isObjectType(type)) continue
    for (const field of Object.keys(fields).filter((field) => field !== "__resolveReference")) {
      expect([`${name}.${field}`, field in type.getFields()]).toEqual([`${name}.${field}`, true])
    }
  }
})

describe("what a conversation says", () => {
  test("is what the log says now, on a node that knew an older state of it, too", async () => {
    const [here, elsewhere] = world.nodes
    const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
    await send(elsewhere!, "bob", conversation, "the other node knows the group")
    for (let i = 0; i < 5; i++) await send(here!, "alice", conversation, `${i}`)
    const fields = "head unreadCount lastMessage { text } me { read } title"
    const expected = {
      ...{ head: 7, unreadCount: 5, lastMessage: { text: "4" }, me: { read: 1 }, title: "Friends" },
    }
    for (const node of world.nodes) {
      const one = await ask<{ conversation: unknown }>(
        node,
        "bob",
        `query ($id: ID!) { conversation(id: $id) { ${fields} } }`,
        { id: conversation },
      )
      expect(one.conversation).toEqual(expected)
      const list = await ask<{ conversations: { edges: unknown[] } }>(
        node,
        "bob",
        `{ conversations { edges { node { ${fields} } } } }`,
      )
      expect(list.conversations.edges).toContainEqual({ node: expected })
    }
  })

  test("costs the same whether 3 or 30,000 messages are unread", async () => {
    const [node] = world.nodes
    async function callsFor(user: string, messages: number) {
      const log = createLog(`unread by ${user}`)
      await world.store.append([log.founded("alice", [user])])
      for (let i = 0; i < messages; i += 3_000) {
        const batch = Math.min(3_000, messages - i)
        await world.store.append(Array.from({ length: batch }, () => log.message("alice")))
      }
      calls = []
      const query =
        "{ conversations { edges { node { id unreadCount head me { read } lastMessage { text } } } } }"
      const { conversations } = await ask<{ conversations: unknown }>(node!, user, query)
      expect(conversations).toMatchObject({
        edges: [{ node: { unreadCount: messages, head: messages + 1 } }],
      })
      return calls.sort()
    }
    expect(await callsFor("frank", 30_000)).toEqual(await callsFor("erin", 3))
  })
})

test("the entry by which someone leaves shows them nothing that comes after it", async () => {
  const [node] = world.nodes
  const { groups } = node!.services
  const conversation = await groups.create("alice", "Friends", ["bob"])
  await send(node!, "alice", conversation, "before")
  await groups.remove("alice", conversation, "bob")
  await send(node!, "alice", conversation, "after")
  const document = parse(`subscription { events { ... on MembersChanged { left { id } conversation {
    id head unreadCount lastMessage { text } me { user { id } } members { totalCount edges { node { role } } }
    messages(last: 9) { edges { node { text } } } log(after: 0) { seq } } } } }`)
  const compiled = createSubscriptionCompiler(
    node!.schema,
    node!.services,
    node!.turns,
    silentLogger,
  ).of({
    schema: node!.schema,
    document,
  })
  const [leaving] = await world.store.entries(conversation, 2, 1)
  const { data } = JSON.parse(await compiled.render({ kind: "entry", entry: leaving! }, "bob"))
  expect(data.events).toEqual({
    left: [{ id: "bob" }],
    conversation: {
      ...{
        id: conversation,
        head: 3,
        unreadCount: 0,
        lastMessage: null,
        me: { user: { id: "bob" } },
      },
      ...{ members: { totalCount: 0, edges: [] }, messages: { edges: [] } },
      log: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
    },
  })
})

interface Page<Node> {
  edges: { cursor: string; node: Node }[]
  pageInfo: {
    hasNextPage: boolean
    hasPreviousPage: boolean
    startCursor: string | null
    endCursor: string | null
  }
}

describe("pages of messages", () => {
  const page = async (id: string, args: string) => {
    const query = `query ($id: ID!) { conversation(id: $id) { messages${args} {
      edges { cursor node { text } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`
    const { conversation } = await ask<{ conversation: { messages: Page<{ text: string }> } }>(
      world.nodes[0]!,
      "bob",
      query,
      { id },
    )
    const { edges, pageInfo } = conversation.messages
    expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual([
      edges[0]?.cursor ?? null,
      edges.at(-1)?.cursor ?? null,
    ])
    return { texts: edges.map(({ node }) => node.text).join(""), ...pageInfo }
  }

  test("lead from the newest to the oldest, and back, each message once, in ascending order", async () => {
    const id = "paged"
    const log = createLog(id)
    await world.store.append([
      log.founded("alice"),
      log.message("alice", "before Bob came"),
      log.changed("alice", { joined: ["bob"] }),
      ...[..."abcdefgh"].map((text) => log.message("alice", text)),
    ])
    const newest = await page(id, "(last: 3)")
    expect(newest).toMatchObject({ texts: "fgh", hasNextPage: false, hasPreviousPage: true })
    const older = await page(id, `(last: 3, before: "${newest.startCursor}")`)
    expect(older).toMatchObject({ texts: "cde", hasNextPage: true, hasPreviousPage: true })
    const oldest = await page(id, `(last: 3, before: "${older.startCursor}")`)
    expect(oldest).toMatchObject({ texts: "ab", hasNextPage: true, hasPreviousPage: false })
    const none = await page(id, `(last: 3, before: "${oldest.startCursor}")`)
    expect(none).toMatchObject({ texts: "", hasPreviousPage: false })

    const first = await page(id, "(first: 3)")
    expect(first).toMatchObject({ texts: "abc", hasNextPage: true, hasPreviousPage: false })
    const second = await page(id, `(first: 5, after: "${first.endCursor}")`)
    expect(second).toMatchObject({ texts: "defgh", hasNextPage: false, hasPreviousPage: true })
    expect(await page(id, "")).toMatchObject({ texts: "abcdefgh", hasPreviousPage: false })
    expect(
      await page(id, `(first: 9, after: "${first.startCursor}", before: "${newest.startCursor}")`),
    ).toMatchObject({ texts: "bcde" })
  })

  test("of conversations and of members lead through all of them, each once", async () => {
    const [node] = world.nodes
    const members = Array.from({ length: 25 }, (_, i) => `reader${i}`)
    const ids = new Set<string>()
    for (let i = 0; i < 13; i++) {
      // Three conversations a moment: the time alone does not tell them apart.
      if (i % 3 === 0) world.clock.time += 1
      ids.add(await node!.services.groups.create("reader0", `${i}`, members))
    }
    async function collect<Data, Node>(
      query: (after: string) => string,
      pick: (data: Data) => Page<Node>,
    ) {
      const nodes: Node[] = []
      for (let after = "null", more = true; more; ) {
        const { edges, pageInfo } = pick(await ask<Data>(node!, "reader0", query(after)))
        nodes.push(...edges.map(({ node }) => node))
        more = pageInfo.hasNextPage
        after = JSON.stringify(pageInfo.endCursor)
      }
      return nodes
    }
    const PAGE = "pageInfo { hasNextPage endCursor }"
    const conversations = await collect(
      (after) => `{ conversations(first: 5, after: ${after}) { edges { node { id } } ${PAGE} } }`,
      (data: { conversations: Page<{ id: string }> }) => data.conversations,
    )
    expect(conversations).toHaveLength(13)
    expect(new Set(conversations.map(({ id }) => id))).toEqual(ids)

    const [one] = ids
    const found = await collect(
      (after) =>
        `{ conversation(id: "${one}") { members(first: 7, after: ${after}) { edges { node { user { id } } } ${PAGE} totalCount } } }`,
      (data: { conversation: { members: Page<{ user: { id: string } }> } }) =>
        data.conversation.members,
    )
    expect(found.map(({ user }) => user.id)).toEqual([...members].sort())
  })
})
