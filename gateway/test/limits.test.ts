import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { isTooLong } from "../limits/plan-length.ts"
import { ALICE } from "./fake-auth.ts"
import { startWorld, type World } from "./world.ts"

let world: World
let bearer: { authorization: string }
beforeAll(async () => {
  world = await startWorld()
  bearer = await world.bearer(ALICE.id)
})
afterAll(() => world[Symbol.asyncDispose]())

const repeat = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(" ")
const nested = (levels: number) =>
  `{ message(id: "x") ${"{ conversation { lastMessage ".repeat(levels)} { id } ${"} }".repeat(levels)} }`

async function refused(query: string, code: string, variables = {}): Promise<string> {
  const since = performance.now()
  const response = await world.post({ query, variables }, bearer)
  const body = (await response.json()) as {
    errors: { message: string; extensions: { code: string } }[]
  }
  expect(body.errors.map(({ extensions }) => extensions.code)).toContain(code)
  expect(response.status).toBeWithin(400, 500)
  // Whatever is refused is refused cheaply: far below this even on a busy machine.
  expect(performance.now() - since).toBeLessThan(2_000)
  return body.errors[0]!.message
}
const accepted = async (query: string, variables = {}) =>
  expect((await world.ask(query, variables, bearer)).errors).toBeUndefined()

describe("a document is refused with a code", () => {
  test("when it is too deep, also through fragments", async () => {
    await accepted(nested(8))
    expect(await refused(nested(12), "GRAPHQL_VALIDATION_FAILED")).toContain("20 levels")
    const fragments = repeat(
      15,
      (i) => `fragment F${i} on Message { conversation { lastMessage { ...F${i + 1} } } }`,
    )
    await refused(
      `{ message(id: "x") { ...F0 } } ${fragments} fragment F15 on Message { id }`,
      "GRAPHQL_VALIDATION_FAILED",
    )
  })

  test("when its fragments are cyclic", async () => {
    await refused(
      "{ message(id: 1) { ...A } } fragment A on Message { ...B } fragment B on Message { ...A id }",
      "GRAPHQL_VALIDATION_FAILED",
    )
    await refused("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED")
  })

  test("when its fragments multiply", async () => {
    const fragments = repeat(
      30,
      (i) =>
        `fragment F${i} on Message { a: conversation { lastMessage { ...F${i + 1} } } ...F${i + 1} ...F${i + 1} }`,
    )
    await refused(
      `{ message(id: 1) { ...F0 } } ${fragments} fragment F30 on Message { id }`,
      "GRAPHQL_VALIDATION_FAILED",
    )
    const roots = repeat(30, (i) => `fragment R${i} on Query { ...R${i + 1} ...R${i + 1} }`)
    await refused(
      `{ ...R0 } ${roots} fragment R30 on Query { me { id } }`,
      "GRAPHQL_VALIDATION_FAILED",
    )
  })

  test("when its fragments multiply and come to nothing, however often they do", async () => {
    const doubling = (levels: number, end: string) =>
      `{ ...F0 } ${repeat(levels, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} ${end}`
    for (const levels of [25, 29, 60]) {
      await refused(doubling(levels, ""), "GRAPHQL_VALIDATION_FAILED")
      const cycle = `fragment F${levels} on Query { ...F0 }`
      await refused(doubling(levels, cycle), "GRAPHQL_VALIDATION_FAILED")
      const inline = doubling(levels, "").replaceAll("...F", "... { ... { __typename } } ...F")
      await refused(inline, "GRAPHQL_VALIDATION_FAILED")
    }
    const spread = repeat(400, (i) => `...F${i}`)
    const fragments = repeat(400, (i) => `fragment F${i} on User { id }`)
    const many = await refused(`{ me { ${spread} } } ${fragments}`, "GRAPHQL_VALIDATION_FAILED")
    expect(many).toContain("30 fragments")
    const oneOften = `{ me { ${repeat(61, () => "...F")} } } fragment F on User { id }`
    expect(await refused(oneOften, "GRAPHQL_VALIDATION_FAILED")).toContain("60 spreads")
  })

  test("when it is long, wide or deep where no field is", async () => {
    await refused(`{ me { id } } ${"#\n".repeat(80_000)}`, "GRAPHQL_PARSE_FAILED")
    await refused(`{ me { id } } ${"\n".repeat(100_000)}`, "GRAPHQL_PARSE_FAILED")
    const inline = (levels: number) =>
      `{ me { ${"... { ".repeat(levels)} id ${"}".repeat(levels)} } }`
    await accepted(inline(40))
    await refused(inline(60), "GRAPHQL_VALIDATION_FAILED")
    await refused(inline(1_200), "GRAPHQL_VALIDATION_FAILED")
    const value = `{ users(search: "a", first: ${"[".repeat(12)}1${"]".repeat(12)}) { id } }`
    expect(await refused(value, "GRAPHQL_VALIDATION_FAILED")).toContain("10 levels")
    const variables = `query (${repeat(51, (i) => `$v${i}: Int`)}) { me { id } }`
    expect(await refused(variables, "GRAPHQL_VALIDATION_FAILED")).toContain("50 variables")
  })

  test("when it calls a field as GraphQL calls its own", async () => {
    for (const alias of ["__typename: username", "__proto__: name", "__schema: id"]) {
      const query = `{ conversation(id: "c1") { me { user { ${alias} name } } } }`
      expect(await refused(query, "GRAPHQL_VALIDATION_FAILED")).toContain("two underscores")
    }
    await accepted(`{ conversation(id: "c1") { me { user { __typename kind: __typename } } } }`)
  })

  test("when it walks through the schema many times", async () => {
    const schema = repeat(6, (i) => `a${i}: __schema { types { name } }`)
    await refused(`{ ${schema} }`, "GRAPHQL_VALIDATION_FAILED")
  })

  test("when the planner makes more text of it than a subgraph takes", async () => {
    const conditional = repeat(
      19,
      (i) => `a${i}: conversation(id: "c1") { ... @include(if: $v) { ...F } }`,
    )
    const query = `query ($v: Boolean!) { ${conditional} }
      fragment F on Conversation { messages(after: "${"x".repeat(40_000)}", last: 1) { pageInfo { hasNextPage } } }`
    await refused(query, "TOO_LARGE", { v: true })
  })

  test("when it has too many aliases, root fields, directives, fields or operations", async () => {
    const aliases = (count: number) => `{ me { ${repeat(count, (i) => `a${i}: id`)} } }`
    await accepted(aliases(100))
    expect(await refused(aliases(101), "GRAPHQL_VALIDATION_FAILED")).toContain("100 aliases")
    await refused(`{ ${repeat(21, (i) => `a${i}: me { id }`)} }`, "GRAPHQL_VALIDATION_FAILED")
    await refused(
      `mutation { ${repeat(30, (i) => `a${i}: signIn(input: { username: "alice", password: "${i}" }) { id }`)} }`,
      "GRAPHQL_VALIDATION_FAILED",
    )
    await refused(
      `{ me { id ${repeat(60, () => "@include(if: true)")} } }`,
      "GRAPHQL_VALIDATION_FAILED",
    )
    await refused(`{ me { ${repeat(1_001, () => "id")} } }`, "GRAPHQL_VALIDATION_FAILED")
    await refused(
      repeat(21, (i) => `query Q${i} { me { id } }`),
      "GRAPHQL_VALIDATION_FAILED",
    )
  })

  test("when it has too many tokens, and while it is being read", async () => {
    await refused(`{ me { ${repeat(5_000, () => "id")} } }`, "GRAPHQL_PARSE_FAILED")
    await refused("{".repeat(100_000), "GRAPHQL_PARSE_FAILED")
    await refused(`{ me(x: ${"[".repeat(50_000)}`, "GRAPHQL_PARSE_FAILED")
  })

  test("when a variable decides whether a subscription has a field", async () => {
    const query = "subscription ($no: Boolean = false) { events @include(if: $no) { __typename } }"
    await refused(query, "GRAPHQL_VALIDATION_FAILED")
  })

  test("when it introspects in circles", async () => {
    const circles =
      "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    await refused(circles, "GRAPHQL_VALIDATION_FAILED")
  })
})

describe("lists", () => {
  const lists = (first: number, last: number) =>
    `{ conversations(first: ${first}) { edges { node { messages(last: ${last}) { edges { node { id } } } } } } }`

  test("inside lists count as their product", async () => {
    await accepted(lists(100, 90))
    expect(await refused(lists(200, 200), "TOO_LARGE")).toContain("10000")
    await refused(`{ users(search: "a", first: 1000000000) { id } }`, "TOO_LARGE")
  })

  test("count by their variables, and by the defaults of those and of the schema", async () => {
    const query = `query ($first: Int = 200, $last: Int) {
      conversations(first: $first) { edges { node { messages(last: $last) { edges { node { id } } } } } }
    }`
    await accepted(query, { first: 10, last: 100 })
    await refused(query, "TOO_LARGE", { first: 150, last: 100 })
    await refused(query, "TOO_LARGE", { last: 100 })
    await refused(
      "{ conversations(first: 200) { edges { node { members { edges { node { role } } } } } } }",
      "TOO_LARGE",
    )
  })

  test("count in fragments and across one operation's fields", async () => {
    const part = "conversations(first: 200) { edges { node { ...M } } }"
    const query = `{ a: ${part} b: ${part} } fragment M on Conversation { messages(last: 30) { edges { node { id } } } }`
    await refused(query, "TOO_LARGE")
  })

  test("count their default where no length is given, and where it is null or absent", async () => {
    const nest = (levels: number, page: string): string =>
      levels === 0
        ? "id"
        : `id messages${page} { edges { node { conversation { ${nest(levels - 1, page)} } } } }`
    for (const page of ["", "(last: null)", "(last: $n)"]) {
      const head = page.includes("$") ? "query ($n: Int) " : ""
      await accepted(`${head}{ conversation(id: "c1") { ${nest(2, page)} } }`)
      await refused(`${head}{ conversation(id: "c1") { ${nest(3, page)} } }`, "TOO_LARGE")
      await refused(`${head}{ conversation(id: "c1") { ${nest(4, page)} } }`, "TOO_LARGE")
    }
  })

  test("without a length of their own count what the schema says of them", async () => {
    const joined = (
      aliases: number,
      fields: string,
    ) => `{ conversations(first: 200) { edges { node {
      ${repeat(aliases, (i) => `a${i}: log(after: 0, first: 1) { ... on MembersChanged { joined { ${fields} } } }`)} } } } }`
    await refused(joined(30, "id username name"), "TOO_LARGE")
    await refused(joined(30, "id"), "TOO_LARGE")
    await refused(joined(5, "id username name"), "TOO_LARGE")
  })

  test("of the longest pages that people's apps ask for are answered", async () => {
    const log = `log(after: 0, first: 1000) { seq ... on MembersChanged { joined { id } left { id } } }`
    await accepted(`{ conversation(id: "c1") { ${log} } }`)
  })

  test("of one event are few, and its types do not add up", async () => {
    const socket = await world.socket({ init: bearer })
    const page = (last: number) =>
      `conversation { messages(last: ${last}) { edges { node { id } } } }`
    const events = (last: number) => `subscription { events {
      ... on MessageSent { ${page(last)} } ... on MembersChanged { ${page(last)} } } }`
    socket.subscribe("large", events(600))
    expect(await socket.next("error", "large")).toMatchObject({
      payload: [{ extensions: { code: "TOO_LARGE" } }],
    })
    const nested = `subscription { events { ... on Ready { reload { messages { edges { cursor } } } } } }`
    socket.subscribe("nested", nested)
    expect(await socket.next("error", "nested")).toMatchObject({
      payload: [{ extensions: { code: "TOO_LARGE" } }],
    })
    const before = world.chat.subscriptions.size
    socket.subscribe("small", events(400))
    await until(() => world.chat.subscriptions.size === before + 1, "the subscription")
  })

  test("of a negative length are left to the field that has them", async () => {
    await accepted(`{ users(search: "a", first: -5) { id } }`)
    expect(await world.ask(`{ users(search: "a", first: 500) { id } }`, {}, bearer)).toMatchObject({
      errors: [{ extensions: { code: "BAD_INPUT", field: "first" } }],
    })
  })
})

test("the limits hold on a socket as they do over HTTP", async () => {
  const socket = await world.socket({ init: bearer })
  socket.subscribe("deep", nested(12))
  expect(await socket.next("error", "deep")).toMatchObject({
    payload: [{ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }],
  })
  socket.subscribe("list", `{ users(search: "a", first: 1000000000) { id } }`)
  expect(await socket.next("error", "list")).toMatchObject({
    payload: [{ extensions: { code: "TOO_LARGE" } }],
  })
})

test("each limit of a document is named where that one alone is passed", async () => {
  const invalid = "GRAPHQL_VALIDATION_FAILED"
  const directives = (count: number) =>
    `{ me { ${repeat(count, (i) => `a${i}: id @include(if: true)`)} } }`
  await accepted(directives(50))
  expect(await refused(directives(51), invalid)).toContain("50 directives")
  const inline = (count: number) => `{ me { ${repeat(count, () => "... { id }")} } }`
  expect(await refused(inline(101), invalid)).toContain("100 inline fragments")
  const pairs = (count: number) => `{ me { ${repeat(count, () => "id")} } }`
  await accepted(pairs(77))
  expect(await refused(pairs(79), invalid)).toContain("3000 pairs")
})

test("a plan has up to 128 Ki characters for one question, and 256 Ki for all of them", () => {
  const isPlanTooLong = (...lengths: number[]) => {
    const nodes = lengths.map((length) => ({ kind: "Fetch", operation: "x".repeat(length) }))
    return isTooLong({ kind: "QueryPlan", node: { kind: "Sequence", nodes } } as never)
  }
  const most = 128 * 1024
  expect([isPlanTooLong(most), isPlanTooLong(most + 1)]).toEqual([false, true])
  expect([isPlanTooLong(most, most), isPlanTooLong(most, most, 1)]).toEqual([false, true])
})
