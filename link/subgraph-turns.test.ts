import { afterEach, beforeEach, expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { buildSchema } from "graphql"
import { QUERIES_AT_ONCE, QUERIES_WAITING } from "./limits.ts"
import { SECRET_HEADER } from "./protocol.ts"
import { createSubgraph } from "./subgraph.ts"
import type { Work } from "./work.ts"

const SECRET = "the link secret of the endpoint under test"
const ANSWER = 10_000
const schema = buildSchema("type Query { held: Int, who: String, texts(count: Int!): [String] }")
const fields = schema.getQueryType()!.getFields()
interface Context {
  user: string
  work: Work
}

/** Queries that have begun and are not answered. */
let held: { user: string; letGo(): void }[] = []
let read = 0
fields.who!.resolve = (_root, _args, { user }: Context) => user
fields.held!.resolve = (_root, _args, { user }: Context) =>
  new Promise((resolve) => held.push({ user, letGo: () => resolve(1) }))
fields.texts!.resolve = (_root, { count }: { count: number }, { work }: Context) =>
  Array.from({ length: count }, () => async () => {
    await work.turn()
    work.charge(1_000)
    read += 1
    return "text"
  }).map((read) => read())

let port: number
let app: { stop(force: boolean): Promise<unknown> }
beforeEach(() => {
  held = []
  read = 0
  const created = createSubgraph<Context>({
    schema,
    secret: SECRET,
    log: silentLogger,
    tokens: {
      verify: (token) => ({ user: token, session: "s", expiresAt: Number.MAX_SAFE_INTEGER }),
    },
    context: ({ viewer, address }, work) => ({ user: viewer?.user ?? address, work }),
    ready: async () => {},
    answerBytes: ANSWER,
  })
  created.listen({ port: 0, hostname: "127.0.0.1" })
  port = created.server!.port!
  app = created as never
})
afterEach(async () => {
  for (const { letGo } of held) letGo()
  await app.stop(true)
})

interface Answer {
  data: Record<string, unknown> | null
  errors?: { extensions: Record<string, unknown> }[]
}
async function ask(query: string, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET, ...headers },
    body: JSON.stringify({ query }),
  })
  return response.json() as Promise<Answer>
}

test.each([
  ["a viewer", { authorization: "Bearer mallory" }, { authorization: "Bearer alice" }],
  ["an address", { "x-forwarded-for": "203.0.113.9" }, { "x-forwarded-for": "203.0.113.10" }],
] as [string, Record<string, string>, Record<string, string>][])(
  "the queries of %s wait behind their own, and more of them are refused",
  async (_what, mine, anothers) => {
    const asked = Array.from({ length: QUERIES_AT_ONCE + QUERIES_WAITING }, () =>
      ask("{ held }", mine),
    )
    await until(() => held.length === QUERIES_AT_ONCE, "as many as may be under way")
    expect(await ask("{ who }", anothers)).toMatchObject({ data: { who: expect.any(String) } })

    // All that wait have come once one more is refused.
    const refused = await askUntilRefused(mine)
    expect(refused.errors).toEqual([
      expect.objectContaining({
        extensions: {
          ...{ code: "RATE_LIMITED", retryable: true, retryAfterMs: expect.any(Number) },
        },
      }),
    ])
    expect(held).toHaveLength(QUERIES_AT_ONCE)

    let answered = 0
    void Promise.all(asked.map((one) => one.then(() => answered++)))
    await until(() => {
      for (const { letGo } of held.splice(0)) letGo()
      return answered === asked.length
    }, "the answers of all others")
    expect(await ask("{ who }", mine)).toMatchObject({ data: { who: expect.any(String) } })
  },
)

async function askUntilRefused(headers: Record<string, string>): Promise<Answer> {
  for (;;) {
    const one = ask("{ who }", headers)
    const first = await Promise.race([one, Bun.sleep(20)])
    if (first?.errors) return first
  }
}

test("an answer that grows too large is one error, however many fields have failed for it", async () => {
  const headers = { authorization: "Bearer alice" }
  expect(await ask("{ texts(count: 10) }", headers)).toEqual({
    data: { texts: Array.from({ length: 10 }, () => "text") },
  })
  read = 0
  const { data, errors } = await ask("{ texts(count: 10000) }", headers)
  expect(data).toBeNull()
  expect(errors).toEqual([
    expect.objectContaining({ extensions: { code: "TOO_LARGE", retryable: false } }),
  ])
  expect(read).toBe(ANSWER / 1_000)
})
