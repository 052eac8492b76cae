import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { ParleyError, unauthenticated, unavailable } from "@parley/platform/errors.ts"
import { type Logger, silentLogger } from "@parley/platform/log.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import { until } from "@parley/testing/until.ts"
import { buildSchema } from "graphql"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import { CAUSE, SECRET_HEADER, SHARED_NEXT } from "./protocol.ts"
import { type Call, createSubgraph, type SubscriptionRequest, secretCheck } from "./subgraph.ts"

const SECRET = "the link secret of the endpoint under test"
const schema = buildSchema(`
  type Query { who: String, call: String!, fail(how: String!): String, cookie: String, slow: String, wait: String }
  type Mutation { set: Boolean }
  type SubscriptionRequest { ticks(n: Int!): Int }
`)
// Each resolver is given the call: what is tested is the endpoint.
const fields: Record<string, Record<string, (args: never, context: Call) => unknown>> = {
  Query: {
    who: (_args, { viewer }) => viewer?.user ?? "nobody",
    call: (_args, { refreshToken, userAgent, address, cause }) =>
      JSON.stringify({ refreshToken, userAgent, address, ...cause }),
    fail({ how }: { how: string }) {
      if (how === "meant") throw new ParleyError("CONFLICT", "It is taken.")
      throw new Error("a secret of ours")
    },
    cookie(_args, { setCookies }) {
      setCookies.push("a=1; HttpOnly", "b=2; HttpOnly")
      return "set"
    },
    slow: () => Bun.sleep(30).then(() => "done"),
    wait(_args, call) {
      waiting.push(call)
      return new Promise(() => {})
    },
  },
  Mutation: { set: () => true },
}
for (const [type, of] of Object.entries(fields)) {
  for (const [name, resolve] of Object.entries(of)) {
    const field = (
      schema.getType(type) as never as { getFields(): Record<string, { resolve: unknown }> }
    ).getFields()[name]!
    field.resolve = (_root: unknown, args: never, context: { call: Call }) =>
      resolve(args, context.call)
  }
}

let port: number
let app: { stop(force: boolean): Promise<unknown> }
let isReady: () => Promise<void> = async () => {}
const errors: unknown[] = []
/** Calls that are never answered. */
const waiting: Call[] = []
const watched = { opened: 0, codes: [] as number[] }
const open = new Map<string, SubscriptionRequest<{ call: Call }>>()
let stopped = 0
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
/** What was traced, as it ended: what, after whom, and how. */
const steps: (string | undefined)[][] = []
const tracer: Tracer = {
  begin: (name, _kind, parent) => ({
    traceparent: TRACEPARENT.replace("00f067aa0ba902b7", "00000000000000aa"),
    end: (failure) => void steps.push([name, parent, failure]),
  }),
  async [Symbol.asyncDispose]() {},
}

beforeAll(() => {
  const note: Logger["error"] = (_event, fields) => errors.push(fields)
  const log: Logger = { ...silentLogger, warn: note, error: note }
  const created = createSubgraph({
    schema,
    secret: SECRET,
    log,
    tracer,
    watch: {
      opened: () => void watched.opened++,
      closed: (_socket, code) => void watched.codes.push(code),
    },
    tokens: {
      verify(token) {
        if (token === "unchecked") throw unavailable("The keys cannot be read.")
        if (token === "expired") throw unauthenticated("The access token has expired.")
        return { user: token, session: "s", expiresAt: Number.MAX_SAFE_INTEGER }
      },
    },
    context: (call) => ({ call }),
    subscribe(subscription) {
      open.set(subscription.id, subscription as never)
      return () => {
        open.delete(subscription.id)
        stopped += 1
      }
    },
    ready: () => isReady(),
  })
  created.listen({ port: 0, hostname: "127.0.0.1" })
  port = created.server!.port!
  app = created as never
})
afterAll(() => app.stop(true))

const at = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
const post = (body: unknown, headers: Record<string, string> = {}) =>
  at("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })
interface Answer {
  data?: Record<string, unknown> | null
  errors?: { message: string; extensions: { code: string; retryable: boolean; field?: string } }[]
}
const answer = async (body: unknown, headers: Record<string, string> = {}) =>
  (await (await post(body, headers)).json()) as Answer

/** A bare socket to the endpoint. */
async function connect(init?: { secret?: unknown; features?: string[]; carries?: string }) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, GRAPHQL_TRANSPORT_WS_PROTOCOL)
  const frames: { type: string; id?: string; payload?: unknown }[] = []
  let code: number | undefined
  socket.onmessage = ({ data }) => frames.push(JSON.parse(String(data)))
  socket.onclose = (event) => {
    code = event.code
  }
  await until(() => socket.readyState !== WebSocket.CONNECTING, "the connection")
  const send = (frame: unknown) =>
    socket.send(typeof frame === "string" ? frame : JSON.stringify(frame))
  const frame = async (fits: (frame: (typeof frames)[number]) => boolean) => {
    await until(() => frames.some(fits) || code !== undefined, "a frame")
    return frames.find(fits)
  }
  if (init) {
    send({ type: "connection_init", payload: init })
    await frame(({ type }) => type === "connection_ack")
  }
  return {
    frames,
    send,
    frame,
    ask(id: string, query: string, extensions?: object, more: object = {}) {
      send({ id, type: "subscribe", payload: { query, extensions, ...more } })
      return frame((frame) => frame.id === id)
    },
    async closing() {
      await until(() => code !== undefined, "the end of the connection")
      return code
    },
    [Symbol.dispose]: () => socket.close(),
  }
}
const trusted = { secret: SECRET }

describe("the secret", () => {
  test("opens the endpoint, and nothing else does", async () => {
    for (const given of ["", "wrong", `${SECRET} `, SECRET.slice(1), SECRET.toUpperCase()]) {
      const response = await post({ query: "{ who }" }, { [SECRET_HEADER]: given })
      expect([given, response.status]).toEqual(
        // Blanks around a header's value are not part of it.
        given.trim() === SECRET ? [given, 200] : [given, 403],
      )
    }
    expect((await at("/graphql?query={who}")).status).toBe(403)
    expect((await at("/graphql", { method: "POST", body: "{ who }" })).status).toBe(403)
    expect(await answer({ query: "{ who }" })).toEqual({ data: { who: "nobody" } })
  })

  test("is asked for on a socket too", async () => {
    const wrong = [
      undefined,
      {},
      { secret: "wrong" },
      { secret: [SECRET] },
      { secret: { $gt: "" } },
      "x",
    ]
    for (const payload of wrong) {
      using socket = await connect()
      socket.send({ type: "connection_init", payload })
      // What is no object is no connection_init at all.
      expect(await socket.closing()).toBe(payload === "x" ? 4400 : 4403)
      expect(socket.frames).toEqual([])
    }
    using socket = await connect(trusted)
    expect(socket.frames).toEqual([{ type: "connection_ack" }])
  })

  test("is compared whole", () => {
    const check = secretCheck(SECRET)
    expect([check(SECRET), check(""), check(`${SECRET}x`), check("é")]).toEqual([
      true,
      false,
      false,
      false,
    ])
  })
})

test("connections are told of as they come and go", async () => {
  const before = watched.opened
  watched.codes.length = 0
  using socket = await connect()
  expect(watched.opened).toBe(before + 1)
  socket.send({ type: "connection_init", payload: { secret: "wrong" } })
  await until(() => watched.codes.includes(4403), "the end")
})

describe("whether the service lives and is ready", () => {
  test("is told to everyone, with the reason where it is not", async () => {
    expect(await (await at("/healthz")).text()).toBe("ok\n")
    expect((await at("/readyz")).status).toBe(200)
    isReady = () => Promise.reject(new Error("The store cannot be read just now."))
    const response = await at("/readyz")
    expect([response.status, await response.text()]).toEqual([
      503,
      "The store cannot be read just now.\n",
    ])
    expect((await at("/healthz")).status).toBe(200)
    isReady = async () => {}
  })
})

describe("who asks, and from where,", () => {
  test("is said by headers over HTTP", async () => {
    const headers = {
      authorization: "Bearer alice",
      cookie: "other=1; parley_refresh=refresh",
      "user-agent": "a browser",
      "x-forwarded-for": "203.0.113.9",
      "x-request-id": "r1",
    }
    const { data } = await answer({ query: "{ who call }" }, headers)
    expect(data!.who).toBe("alice")
    expect(JSON.parse(data!.call as string)).toEqual({
      ...{
        refreshToken: "refresh",
        userAgent: "a browser",
        address: "203.0.113.9",
        requestId: "r1",
        traceparent: expect.any(String),
      },
    })
    const secure = "parley_refresh=old; __Host-parley_refresh=secure"
    const again = await answer({ query: "{ call }" }, { cookie: secure })
    expect(JSON.parse(again.data!.call as string)).toMatchObject({ refreshToken: "secure" })
    expect((await answer({ query: "{ who }" }, { authorization: "Basic YTpi" })).data).toEqual({
      who: "nobody",
    })
  })

  test("is said per operation on a socket", async () => {
    using socket = await connect(trusted)
    const told = {
      refreshToken: "refresh",
      userAgent: "a browser",
      address: "::1",
      requestId: "r2",
    }
    const ofAlice = await socket.ask("1", "{ who call }", { token: "alice", ...told })
    const { who, call } = (ofAlice!.payload as Answer).data!
    expect([who, JSON.parse(call as string)]).toEqual([
      "alice",
      { ...told, traceparent: expect.any(String) },
    ])
    expect((await socket.ask("2", "{ who }", { token: "bob" }))!.payload).toEqual({
      data: { who: "bob" },
    })
    expect((await socket.ask("3", "{ who }"))!.payload).toEqual({ data: { who: "nobody" } })
    for (const [i, extensions] of [
      { token: 7 },
      { token: { $gt: "" } },
      { userAgent: [] },
    ].entries()) {
      expect(await socket.ask(`bad ${i}`, "{ who }", extensions)).toMatchObject({
        ...{ type: "error", payload: [{ extensions: { code: "BAD_INPUT", field: "extensions" } }] },
      })
    }
  })

  test("is refused where the token is not valid, and the socket serves on", async () => {
    const error = {
      message: "The access token has expired.",
      extensions: { code: "UNAUTHENTICATED", retryable: false },
    }
    expect(await answer({ query: "{ who }" }, { authorization: "Bearer expired" })).toEqual({
      errors: [error],
    })
    using socket = await connect(trusted)
    expect(await socket.ask("1", "{ who }", { token: "expired" })).toEqual({
      id: "1",
      type: "error",
      payload: [error],
    })
    expect((await socket.ask("2", "{ who }", { token: "alice" }))!.payload).toEqual({
      data: { who: "alice" },
    })
  })
})

describe("a call", () => {
  test("knows over HTTP whether it is still waited for", async () => {
    waiting.length = 0
    const asking = new AbortController()
    const answer = at("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
      body: JSON.stringify({ query: "{ wait }" }),
      signal: asking.signal,
    }).catch((error) => error.name)
    await until(() => waiting.length === 1, "the call")
    expect(waiting[0]!.isWaitedFor()).toBe(true)
    asking.abort()
    expect(await answer).toBe("AbortError")
    await until(() => !waiting[0]!.isWaitedFor(), "the end of the request")
  })

  test("knows on a socket whether it is still waited for", async () => {
    waiting.length = 0
    using socket = await connect(trusted)
    socket.send({ id: "1", type: "subscribe", payload: { query: "{ wait }" } })
    await until(() => waiting.length === 1, "the call")
    expect(waiting[0]!.isWaitedFor()).toBe(true)
    socket[Symbol.dispose]()
    await until(() => !waiting[0]!.isWaitedFor(), "the end of the connection")
  })
})

describe("cookies that an operation sets", () => {
  test("are headers over HTTP, each its own", async () => {
    const response = await post({ query: "{ cookie }" })
    expect(response.headers.getSetCookie()).toEqual(["a=1; HttpOnly", "b=2; HttpOnly"])
    expect(await response.json()).toEqual({ data: { cookie: "set" } })
    expect((await post({ query: "{ who }" })).headers.getSetCookie()).toEqual([])
  })

  test("are in the result's extensions on a socket", async () => {
    using socket = await connect(trusted)
    expect((await socket.ask("1", "{ cookie }"))!.payload).toEqual({
      ...{
        data: { cookie: "set" },
        extensions: { setCookies: ["a=1; HttpOnly", "b=2; HttpOnly"] },
      },
    })
    expect((await socket.ask("2", "{ who }"))!.payload).not.toHaveProperty("extensions")
  })
})

describe("an error", () => {
  test.each([
    [{ query: "{" }, "GRAPHQL_PARSE_FAILED"],
    [{ query: `{ ${"who ".repeat(11_000)} }` }, "GRAPHQL_PARSE_FAILED"],
    [{ query: "{ nothing }" }, "GRAPHQL_VALIDATION_FAILED"],
    [{ query: "query A { who } query B { who }" }, "BAD_INPUT"],
    [{ query: "query A { who }", operationName: "B" }, "BAD_INPUT"],
    [{ query: "query ($how: String!) { fail(how: $how) }" }, "BAD_INPUT"],
    [{ query: `{ fail(how: "meant") }` }, "CONFLICT"],
  ] as [{ query: string; operationName?: string }, string][])(
    "of %p has the same code both ways",
    async (body, code) => {
      const extensions = expect.objectContaining({ code, retryable: false })
      const overHttp = await answer(body)
      expect(overHttp.errors).toMatchObject([{ extensions }])
      using socket = await connect(trusted)
      const { query, ...more } = body
      const frame = await socket.ask("1", query, undefined, more)
      const errors = frame!.type === "error" ? frame!.payload : (frame!.payload as Answer).errors
      expect(errors).toEqual(overHttp.errors as never)
    },
  )

  test("an unexpected one is masked, and told to the log", async () => {
    errors.length = 0
    const { errors: shown } = await answer({ query: `{ fail(how: "oops") }` })
    expect(shown).toMatchObject([{ extensions: { code: "INTERNAL", retryable: false } }])
    expect(JSON.stringify(shown)).not.toContain("secret of ours")
    expect(errors).toEqual([{ path: ["fail"], error: new Error("a secret of ours") }])
  })

  test.each([
    ["what is not JSON", "{ who }", {}, 400],
    ["a batch", [{ query: "{ who }" }], {}, 400],
    ["no query", {}, {}, 400],
    ["a query that is no text", { query: { $gt: "" } }, {}, 400],
    ["variables that are a list", { query: "{ who }", variables: [1] }, {}, 400],
    ["extensions that are a text", { query: "{ who }", extensions: "x" }, {}, 400],
  ] as [string, unknown, Record<string, string>, number][])(
    "of a request with %s has a code",
    async (_what, body, headers, status) => {
      const response = await post(body, headers)
      expect(response.status).toBe(status)
      const { errors } = (await response.json()) as Answer
      expect(errors).toMatchObject([
        { extensions: { code: "BAD_INPUT", retryable: false, field: expect.any(String) } },
      ])
    },
  )

  test("of a request that is none of ours is one of HTTP's, and never a 5xx", async () => {
    expect(
      (await post("query=1", { "content-type": "application/x-www-form-urlencoded" })).status,
    ).toBe(415)
    expect((await post({ query: "{ who }" }, { accept: "text/html" })).status).toBe(406)
    expect(
      (await at("/graphql?query=mutation{set}", { headers: { [SECRET_HEADER]: SECRET } })).status,
    ).toBe(405)
    expect((await post("x".repeat(10_000_000))).status).toBe(413)
    expect((await at("/nowhere")).status).toBe(404)
    const { errors } = await answer({ query: "subscription { ticks(n: 1) }" })
    expect(errors).toMatchObject([{ extensions: { code: "BAD_INPUT", retryable: false } }])
  })
})

describe("a socket", () => {
  test.each([
    ["a frame that is not JSON", ["this is no JSON"], 4400],
    ["a frame of no type", [{ id: "1" }], 4400],
    ["a frame of an unknown type", [{ type: "shout" }], 4400],
    ["an operation that is none", [{ id: "1", type: "subscribe", payload: { query: 7 } }], 4400],
    ["an operation without an id", [{ type: "subscribe", payload: { query: "{ who }" } }], 4400],
    ["a second connection_init", [{ type: "connection_init", payload: trusted }], 4429],
    [
      "a second operation of the same id",
      [1, 2].map(() => ({ id: "1", type: "subscribe", payload: { query: "{ slow }" } })),
      4409,
    ],
  ] as [string, unknown[], number][])("is closed for %s", async (_what, frames, code) => {
    using socket = await connect(trusted)
    for (const frame of frames) socket.send(frame)
    expect(await socket.closing()).toBe(code)
  })

  test("is closed for an operation before connection_init", async () => {
    using socket = await connect()
    socket.send({ id: "1", type: "subscribe", payload: { query: "{ who }" } })
    expect(await socket.closing()).toBe(4401)
  })

  test("is closed for a frame of 2 MB, which no gateway sends", async () => {
    using socket = await connect(trusted)
    socket.send({ type: "ping", payload: { x: "x".repeat(2_000_000) } })
    expect(await socket.closing()).toBeOneOf([1006, 1009])
  })

  test("of another protocol is not opened", async () => {
    for (const protocol of ["graphql-ws", "chat"]) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, protocol)
      await until(() => socket.readyState === WebSocket.CLOSED, "the refusal")
    }
    const plain = await at("/graphql", {
      headers: { upgrade: "websocket", "sec-websocket-protocol": "chat" },
    })
    expect(plain.status).toBe(400)
    const bare = await at("/graphql", {
      headers: { upgrade: "websocket", "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL },
    })
    expect(bare.status).toBe(400)
  })

  test("answers a ping", async () => {
    using socket = await connect(trusted)
    socket.send({ type: "ping", payload: { n: 1 } })
    expect(await socket.frame(({ type }) => type === "pong")).toEqual({
      type: "pong",
      payload: { n: 1 },
    })
  })

  test("sends the request context of a result to a gateway that asked for it", async () => {
    const subscribe = { type: "subscribe", payload: { query: "subscription { ticks(n: 1) }" } }
    using asks = await connect({ ...trusted, features: [SHARED_NEXT, CAUSE] })
    expect(asks.frames[0]).toMatchObject({ payload: { features: [SHARED_NEXT, CAUSE] } })
    using doesNot = await connect({ ...trusted, features: [SHARED_NEXT] })
    using plain = await connect({ ...trusted, features: [CAUSE] })
    expect(plain.frames[0]).toEqual({ type: "connection_ack" })
    const cause = { requestId: "r7", traceparent: TRACEPARENT }
    for (const [id, socket] of Object.entries({ asks, doesNot, plain })) {
      socket.send({ id, ...subscribe })
      await until(() => open.has(id), "the subscription")
      open.get(id)!.link.deliver([id], "{}", cause)
    }
    const got = (socket: typeof asks) => socket.frame(({ type }) => type === "next")
    expect(await got(asks)).toEqual({ type: "next", ids: ["asks"], cause, payload: {} } as never)
    expect(await got(doesNot)).toEqual({ type: "next", ids: ["doesNot"], payload: {} } as never)
    expect(await got(plain)).toEqual({ type: "next", id: "plain", payload: {} })
  })

  test("that carries answers, or events, carries nothing else", async () => {
    const subscription = "subscription { ticks(n: 1) }"
    const refused = { type: "error", payload: [{ extensions: { code: "BAD_INPUT" } }] }
    using answers = await connect({ ...trusted, carries: "answers" })
    expect((await answers.ask("1", "{ who }"))!.payload).toEqual({ data: { who: "nobody" } })
    expect(await answers.ask("2", subscription)).toMatchObject(refused)
    using events = await connect({ ...trusted, carries: "events" })
    expect(await events.ask("1", "{ who }")).toMatchObject(refused)
    events.send({ id: "of events", type: "subscribe", payload: { query: subscription } })
    await until(() => open.has("of events"), "the subscription")
  })

  test("agrees on shared frames with a peer that knows them", async () => {
    using knows = await connect({ ...trusted, features: ["other", SHARED_NEXT] })
    expect(knows.frames[0]).toEqual({
      type: "connection_ack",
      payload: { features: [SHARED_NEXT] },
    })
    using plain = await connect({ ...trusted, features: ["other"] })
    expect(plain.frames[0]).toEqual({ type: "connection_ack" })
  })
})

describe("the request that an operation is part of", () => {
  const told = { requestId: "r3", traceparent: TRACEPARENT }

  test("is named in whatever the log is told of it", async () => {
    using socket = await connect(trusted)
    errors.length = 0
    await socket.ask("1", `{ fail(how: "oops") }`, told)
    await socket.ask("2", "{ who }", { ...told, token: "unchecked" })
    await answer({ query: `{ fail(how: "oops") }` }, { "x-request-id": "r4" })
    expect(errors).toMatchObject([
      { requestId: "r3", path: ["fail"] },
      { requestId: "r3" },
      { requestId: "r4", path: ["fail"] },
    ])
  })

  test("goes on in a step of its trace, of which what follows is told", async () => {
    using socket = await connect(trusted)
    steps.length = 0
    const { payload } = (await socket.ask("1", "query Mine { call }", told))!
    const seen = JSON.parse((payload as Answer).data!.call as string)
    expect(seen).toMatchObject({ requestId: "r3", traceparent: expect.stringContaining("aa-01") })
    await socket.ask("2", `{ fail(how: "meant") }`, told)
    await answer({ query: "mutation { set }" }, { traceparent: TRACEPARENT, "x-request-id": "r5" })
    await answer({ query: "{ who }" })
    expect(steps).toEqual([
      ["query call", TRACEPARENT, undefined],
      ["query fail", TRACEPARENT, "CONFLICT"],
      ["mutation set", TRACEPARENT, undefined],
      ["query who", undefined, undefined],
    ])
  })
})

describe("a subscription", () => {
  const subscribe = (socket: Awaited<ReturnType<typeof connect>>, id: string) =>
    socket.send({ id, type: "subscribe", payload: { query: "subscription { ticks(n: 1) }" } })

  test("gets what its source delivers, shared or plain, and ends when its client says so", async () => {
    using socket = await connect({ ...trusted, features: [SHARED_NEXT] })
    for (const id of ["a", "b"]) subscribe(socket, id)
    await until(() => open.size === 2, "both subscriptions")
    const { link } = open.get("a")!
    expect(link).toBe(open.get("b")!.link)
    expect(link.deliver(["a", "b"], `{"data":{"ticks":1}}`)).toBe(true)
    const frame = await socket.frame(({ type }) => type === "next")
    expect(frame).toEqual({
      type: "next",
      ids: ["a", "b"],
      payload: { data: { ticks: 1 } },
    } as never)
    stopped = 0
    socket.send({ id: "a", type: "complete" })
    await until(() => stopped === 1, "the end of a")
    expect([...open.keys()]).toEqual(["b"])
  })

  test("ends with its connection", async () => {
    const socket = await connect(trusted)
    for (const id of ["c", "d", "e"]) subscribe(socket, id)
    await until(() => open.has("e"), "the subscriptions")
    const { link } = open.get("e")!
    socket[Symbol.dispose]()
    await until(() => open.size === 0, "the end of all three")
    expect(link.deliver(["e"], "{}")).toBe(false)
  })

  test("may be ended by its source, with the reason or without", async () => {
    using socket = await connect(trusted)
    for (const id of ["f", "g"]) subscribe(socket, id)
    await until(() => open.has("g"), "both subscriptions")
    open.get("f")!.end(new ParleyError("UNAVAILABLE", "Resume."))
    open.get("g")!.end()
    expect(await socket.frame(({ id }) => id === "f")).toEqual({
      ...{ id: "f", type: "error" },
      payload: [{ message: "Resume.", extensions: { code: "UNAVAILABLE", retryable: true } }],
    })
    expect(await socket.frame(({ id }) => id === "g")).toEqual({ id: "g", type: "complete" })
    expect((await socket.ask("h", "{ who }"))!.payload).toEqual({ data: { who: "nobody" } })
  })
})
