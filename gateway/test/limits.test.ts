import { afterAll, beforeAll, describe, expect, test } from "bun:test"
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
