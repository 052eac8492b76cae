import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test"
import { auditServer } from "graphql-http"
import { ALICE, BOB } from "./fake-auth.ts"
import { startWorld, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const SEND = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { id seq sender { name } }
}`
const input = (text = "Hi") => ({ input: { id: Bun.randomUUIDv7(), conversation: "c1", text } })
const code = (answer: { errors?: { extensions: { code: string } }[] }) =>
  answer.errors?.map(({ extensions }) => extensions.code)

describe("answers", () => {
  test("come from both subgraphs in one", async () => {
    const { data, errors } = await world.ask(
      `{ me { name } conversation(id: "c1") { members { edges { node { user { id username name } } } } } }`,
      {},
      await world.bearer(ALICE.id),
    )
    expect(errors).toBeUndefined()
    expect(data).toEqual({
      me: { name: "Alice" },
      conversation: { members: { edges: [{ node: { user: ALICE } }, { node: { user: BOB } }] } },
    })
  })

  test("to mutations are completed with what another subgraph knows", async () => {
    const answer = await world.ask(SEND, input(), await world.bearer(BOB.id))
    expect(answer).toMatchObject({ data: { sendMessage: { sender: { name: "Bob" } } } })
  })

  test("carry a code, a path and details where something is wrong", async () => {
    const token = await world.bearer(BOB.id)
    const { errors } = await world.ask(SEND, input(""), token)
    expect(errors).toMatchObject([
      {
        message: "A message has 1 to 8,000 characters.",
        path: ["sendMessage"],
        extensions: { code: "BAD_INPUT", retryable: false, field: "input.text" },
      },
    ])
    expect(JSON.stringify(errors)).not.toContain("serviceName")
    const unknown = await world.ask(`{ c: conversation(id: "nope") { id } }`, {}, token)
    expect(unknown).toMatchObject({
      data: { c: null },
      errors: [{ path: ["c"], extensions: { code: "NOT_FOUND", retryable: false } }],
    })
  })

  test("mask what went wrong inside", async () => {
    const answer = await world.ask(
      `{ user(username: "broken") { id } }`,
      {},
      await world.bearer(BOB.id),
    )
    expect(code(answer)).toEqual(["INTERNAL"])
    expect(JSON.stringify(answer)).not.toContain("hunter2")
  })

  test("refuse variables that do not fit, and name the field", async () => {
    const token = await world.bearer(BOB.id)
    for (const [variables, field] of [
      [{}, "input"],
      [{ input: { id: 1.5, conversation: "c1" } }, "input.id"],
      [{ input: { id: "x", conversation: { $gt: "" } } }, "input.conversation"],
    ] as const) {
      const { errors } = await world.ask(SEND, variables, token)
      expect(errors).toMatchObject([{ extensions: { code: "BAD_INPUT", field } }])
    }
  })

  test("run the operation that is named", async () => {
    const token = await world.bearer(ALICE.id)
    const query = "query A { me { name } } query B { me { username } }"
    const run = async (operationName?: string) =>
      (await world.post({ query, operationName }, token)).json()
    expect(await run("B")).toEqual({ data: { me: { username: "alice" } } })
    expect(code(await run())).toEqual(["BAD_INPUT"])
    expect(code(await run("C"))).toEqual(["BAD_INPUT"])
  })
})

describe("whoever is not signed in", () => {
  test("gets public fields, introspection and nothing else, and no subgraph is asked", async () => {
    expect(await world.ask("{ __typename me { id } }")).toEqual({
      data: { __typename: "Query", me: null },
    })
    expect((await world.ask("{ __schema { queryType { name } } }")).errors).toBeUndefined()
    const calls = world.auth.knobs.calls.length + world.chat.knobs.calls.length
    for (const query of [
      `{ user(username: "alice") { id } }`,
      `{ me { id } conversations { edges { cursor } } }`,
      `{ ...F } fragment F on Query { ... { sessions { id } } }`,
      `query ($no: Boolean = false) { user(username: "alice") @include(if: $no) { id } }`,
      `mutation { startDirect(user: "x") { id } }`,
    ]) {
      const response = await world.post({ query })
      expect(response.status).toBe(401)
      expect(code((await response.json()) as never)).toEqual(["UNAUTHENTICATED"])
    }
    expect(world.auth.knobs.calls.length + world.chat.knobs.calls.length).toBe(calls)
  })

  test("cannot pretend with a token that is not valid", async () => {
    const tokens = [
      "nonsense",
      "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZS1pZCJ9.",
      await world.auth.sign(ALICE.id, "s", -10),
    ]
    for (const token of tokens) {
      for (const headers of [
        { authorization: `Bearer ${token}` },
        { cookie: `parley_access=${token}` },
      ]) {
        expect(code(await world.ask("{ me { id } }", {}, headers as never))).toEqual([
          "UNAUTHENTICATED",
        ])
      }
    }
    expect(code(await world.ask("{ me { id } }", {}, { authorization: "Basic x" }))).toEqual([
      "UNAUTHENTICATED",
    ])
  })

  test("may have an old cookie when signing in, refreshing or signing out, but not a bad bearer", async () => {
    const signIn = `mutation { signIn(input: { username: "alice", password: "x" }) { id } }`
    const cookie = { cookie: "parley_access=old; parley_refresh=refresh of alice-id" }
    expect((await world.ask(signIn, {}, cookie)).data).toEqual({ signIn: { id: ALICE.id } })
    const refresh = "mutation { refreshSession { name } }"
    expect((await world.ask(refresh, {}, cookie)).data).toEqual({
      refreshSession: { name: "Alice" },
    })
    const bearer = { authorization: "Bearer old" }
    expect(code(await world.ask(signIn, {}, bearer))).toEqual(["UNAUTHENTICATED"])
    const change = `mutation { changePassword(current: "x", new: "y") }`
    expect(code(await world.ask(change, {}, cookie))).toEqual(["UNAUTHENTICATED"])
    expect(code(await world.ask("{ me { id } }", {}, cookie))).toEqual(["UNAUTHENTICATED"])
  })
})

describe("cookies", () => {
  test("of a mutation are set, and are nowhere in the body", async () => {
    const query = `mutation { signIn(input: { username: "bob", password: "x" }) { id } }`
    const response = await world.post({ query })
    const cookies = response.headers.getSetCookie()
    expect(cookies).toHaveLength(2)
    expect(cookies[0]).toStartWith("parley_access=ey")
    expect(cookies[1]).toStartWith("parley_refresh=")
    const body = await response.text()
    expect(body).toBe('{"data":{"signIn":{"id":"bob-id"}}}')
    const me = await world.ask("{ me { name } }", {}, { cookie: cookies[0]!.split(";")[0]! })
    expect(me.data).toEqual({ me: { name: "Bob" } })
  })

  test("are for auth: chat is not given the refresh token", async () => {
    const headers = {
      ...(await world.bearer(BOB.id)),
      cookie: "parley_refresh=secret; parley_device=mine",
    }
    await world.ask("{ conversations { edges { cursor } } me { id } }", {}, headers)
    expect(world.chat.knobs.calls.at(-1)?.refreshToken).toBeUndefined()
    expect(world.chat.knobs.calls.at(-1)?.device).toBeUndefined()
    expect(world.auth.knobs.calls.at(-1)?.refreshToken).toBe("secret")
    expect(world.auth.knobs.calls.at(-1)?.device).toBe("mine")
  })

  test("and the caller's address and browser are passed on, not what a header says of them", async () => {
    const headers = { "user-agent": "Fox/1", "x-forwarded-for": "6.6.6.6" }
    await world.ask("{ me { id } }", {}, headers)
    expect(world.auth.knobs.calls.at(-1)).toMatchObject({
      userAgent: "Fox/1",
      address: "127.0.0.1",
    })
  })
})

describe("the way in", () => {
  test("takes application/json only: a form of another origin gets nowhere", async () => {
    const body = JSON.stringify({ query: "{ __typename }" })
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/json-seq",
      "",
    ]) {
      const response = await world.post(body, { "content-type": type })
      expect(response.status).toBe(415)
      expect(code((await response.json()) as never)).toEqual(["BAD_INPUT"])
      expect(response.headers.get("access-control-allow-origin")).toBeNull()
    }
    expect(
      (await world.post(body, { "content-type": 'application/json; charset="UTF-8"' })).status,
    ).toBe(200)
  })

  test("refuses other bodies and other methods with a code", async () => {
    for (const body of [
      "{",
      "[]",
      '[{"query":"{ __typename }"}]',
      "null",
      '"x"',
      "{}",
      '{"query":1}',
      '{"query":"{ __typename }","variables":[]}',
      '{"query":"{ __typename }","operationName":{}}',
      '{"query":"{ __typename }","extensions":"x"}',
    ]) {
      const response = await world.post(body)
      expect(response.status).toBe(400)
      expect(code((await response.json()) as never)).toEqual(["BAD_INPUT"])
    }
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await fetch(`${world.url}/graphql?query={__typename}`, { method })
      expect(response.status).toBe(405)
      expect(response.headers.get("allow")).toBe("POST")
    }
    const accept = await world.post({ query: "{ __typename }" }, { accept: "image/png" })
    expect(accept.status).toBe(406)
  })

  test("refuses a body of more than 256 KiB, said or found", async () => {
    const query = `{ __typename } #${"x".repeat(300 * 1024)}`
    const whole = await world.post({ query })
    expect(whole.status).toBe(413)
    expect(code((await whole.json()) as never)).toEqual(["TOO_LARGE"])
    const chunked = await fetch(`${world.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new ReadableStream({
        start(controller) {
          for (const part of JSON.stringify({ query }).match(/.{1,50000}/gs) ?? []) {
            controller.enqueue(new TextEncoder().encode(part))
          }
          controller.close()
        },
      }),
    })
    expect(chunked.status).toBe(413)
    const huge = await world.post({ query: "x".repeat(10 * 1024 * 1024) })
    expect(huge.status).toBe(413)
    expect(code((await huge.json()) as never)).toEqual(["TOO_LARGE"])
  })

  test("answers a subscription with where to subscribe", async () => {
    const answer = await world.ask(
      "subscription { events { __typename } }",
      {},
      await world.bearer(BOB.id),
    )
    expect(code(answer)).toEqual(["BAD_INPUT"])
    expect(answer.errors?.[0]?.message).toContain("WebSocket")
  })

  test("speaks the media type that is asked for, with its rules for the status", async () => {
    for (const [accept, type, status] of [
      [
        "application/graphql-response+json",
        "application/graphql-response+json; charset=utf-8",
        400,
      ],
      ["application/json", "application/json; charset=utf-8", 200],
      ["*/*", "application/json; charset=utf-8", 200],
      [
        "application/graphql-response+json, application/json;q=0.9",
        "application/graphql-response+json; charset=utf-8",
        400,
      ],
    ] as const) {
      const response = await world.post({ query: "{ nope }" }, { accept })
      expect(response.headers.get("content-type")).toBe(type)
      expect(response.status).toBe(status)
      expect(code((await response.json()) as never)).toEqual(["GRAPHQL_VALIDATION_FAILED"])
    }
    expect(code(await world.ask("{"))).toEqual(["GRAPHQL_PARSE_FAILED"])
  })

  test("says in its headers what a browser may do with an answer", async () => {
    for (const response of [
      await world.post({ query: "{ __typename }" }),
      await fetch(`${world.url}/nothing`),
    ]) {
      expect(response.headers.get("x-content-type-options")).toBe("nosniff")
      expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'")
      expect(response.headers.get("referrer-policy")).toBe("no-referrer")
    }
  })

  test("passes the audit of GraphQL over HTTP", async () => {
    const results = await auditServer({ url: `${world.url}/graphql` })
    const unmet = results.filter(({ status }) => status !== "ok")
    // Every MUST and every SHOULD is met. GET with a query is a MAY, and not served: whoever can ask can POST, and
    // what only POST can do needs no further thought about links and caches.
    expect(unmet.every(({ name }) => /^MAY .* GET/.test(name))).toBeTrue()
    expect(unmet).toHaveLength(3)
    expect(results.length).toBeGreaterThan(50)
  })
})

describe("introspection", () => {
  test("is refused with a code where it is off, and misspelt fields are not guessed at", async () => {
    await using shut = await startWorld({ introspection: false })
    expect(code(await shut.ask(`{ __type(name: "User") { name } }`))).toContain(
      "GRAPHQL_VALIDATION_FAILED",
    )
    const { errors } = await shut.ask("{ mee { id } }")
    expect(errors?.[0]?.message).not.toContain("Did you mean")
    expect((await shut.ask("{ __typename }")).data).toEqual({ __typename: "Query" })
  })

  test("is about the whole graph, also beside data that one subgraph has", async () => {
    const query = "{ me { name } __schema { queryType { fields { name } } } }"
    const { data } = await world.ask<{
      me: unknown
      __schema: { queryType: { fields: { name: string }[] } }
    }>(query, {}, await world.bearer(ALICE.id))
    expect(data?.me).toEqual({ name: "Alice" })
    const fields = data?.__schema.queryType.fields.map(({ name }) => name)
    expect(fields).toContain("conversations")
    expect(fields).not.toContain("_entities")
  })

  test("does not reach the subgraphs' own fields", async () => {
    const bearer = await world.bearer(ALICE.id)
    for (const query of [
      "{ _service { sdl } }",
      `{ _entities(representations: [{ __typename: "User", id: "alice-id" }]) { __typename } }`,
    ]) {
      expect(code(await world.ask(query, {}, bearer))).toEqual(["GRAPHQL_VALIDATION_FAILED"])
    }
  })
})

test("a gateway whose port is in use says so in one sentence", async () => {
  await expect(startWorld({ port: world.gateway.port })).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(/^PORT cannot be used: /),
  })
})

test("requests in flight have 5 s once the gateway is told to stop", async () => {
  const world = await startWorld()
  const sleeps = spyOn(Bun, "sleep")
  await world[Symbol.asyncDispose]()
  const waits = sleeps.mock.calls.map(([ms]) => ms)
  sleeps.mockRestore()
  expect(waits).toContain(5_000)
})
