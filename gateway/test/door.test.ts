import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test"
import { brotliDecompressSync } from "node:zlib"
import type { LogFields, Logger } from "@parley/platform/log.ts"
import { silentLogger } from "@parley/platform/log.ts"
import type { TestSocket } from "@parley/testing/frames.ts"
import { compress, encodingFor } from "../compression.ts"
import { readGatewayConfig } from "../config.ts"
import { createFairUse } from "../limits/fair-use.ts"
import { CHARACTERS_AN_OPERATION, FRAMES_AN_OPERATION, OPERATIONS_PER_PERSON } from "../limits.ts"
import { ALICE, BOB, SECRET } from "./fake-auth.ts"
import { startWorld, type World } from "./world.ts"

const SCHEMA = "{ __schema { types { name fields { name } } } }"

let world: World
let lines: { event: string; fields: LogFields }[]
const log: Logger = {
  ...silentLogger,
  info: (event, fields = {}) => void lines.push({ event, fields }),
}

beforeAll(async () => {
  lines = []
  world = await startWorld({ accessLog: "refused" }, { log })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Reads an answer's bytes as they came. */
async function packed(query: string, accepts: string) {
  const response = await fetch(`${world.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "accept-encoding": accepts },
    body: JSON.stringify({ query }),
    decompress: false,
  })
  return { response, bytes: Buffer.from(await response.arrayBuffer()) }
}

describe("answers are compressed", () => {
  test("in the way that the client takes, where they are long", async () => {
    const plain = await packed(SCHEMA, "identity")
    expect(plain.response.headers.get("content-encoding")).toBeNull()
    expect(plain.bytes.length).toBeGreaterThan(2_000)
    for (const [accepts, encoding] of [
      ["br, gzip", "br"],
      ["gzip, deflate", "gzip"],
      ["br;q=0, gzip", "gzip"],
    ] as const) {
      const { response, bytes } = await packed(SCHEMA, accepts)
      expect(response.headers.get("content-encoding")).toBe(encoding)
      expect(response.headers.get("vary")).toBe("accept-encoding")
      expect(bytes.length).toBeLessThan(plain.bytes.length / 2)
      const opened = encoding === "br" ? brotliDecompressSync(bytes) : Bun.gunzipSync(bytes)
      expect(Buffer.from(opened).toString()).toBe(plain.bytes.toString())
    }
  })

  test("and short ones are not", async () => {
    const { response } = await packed("{ me { id } }", "br, gzip")
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("vary")).toBe("accept-encoding")
  })
})

describe("the access log", () => {
  test("has a line for what was refused, with who and why, and never what was said", async () => {
    lines = []
    const headers = await world.bearer(ALICE.id)
    await world.ask("{ me { id } }", {}, headers)
    await world.ask(`{ user(username: "a secret of mine") { id } }`)
    const wide = `{ users(search: "another secret", first: 1000000) { id } }`
    await world.ask(wide, {}, headers)
    const requests = lines.filter(({ event }) => event === "request").map(({ fields }) => fields)
    expect(requests).toMatchObject([
      { address: "127.0.0.1", user: undefined, operation: "query user", code: "UNAUTHENTICATED" },
      { address: "127.0.0.1", user: ALICE.id, operation: "query users", code: "TOO_LARGE" },
    ])
    expect(requests.every(({ requestId, ms }) => requestId && typeof ms === "number")).toBeTrue()
    expect(JSON.stringify(lines)).not.toContain("secret")
  })

  test("has a line for each request where that is set", async () => {
    const seen: LogFields[] = []
    const all = {
      ...silentLogger,
      info: (event: string, fields: LogFields = {}) =>
        void (event === "request" && seen.push(fields)),
    }
    await using open = await startWorld({ accessLog: "all" }, { log: all })
    await open.ask("{ me { id } }")
    expect(seen).toMatchObject([{ code: "OK", operation: "query me" }])
    const socket = await open.socket({ init: await open.bearer(ALICE.id) })
    socket.subscribe("1", "{ me { name } }")
    await socket.next("complete", "1")
    socket.subscribe("2", `{ users(search: "a", first: 1000000) { id } }`)
    await socket.next("error", "2")
    expect(seen.slice(1)).toMatchObject([
      { code: "OK", operation: "query me", user: ALICE.id, address: "127.0.0.1" },
      { code: "TOO_LARGE", user: ALICE.id },
    ])
  })
})

describe("fair use", () => {
  test("refuses one person's flood with a time to wait, and nobody else's requests", async () => {
    await using small = await startWorld({ operationsPerPerson: 1, operationsPerAddress: 1 })
    const alice = await small.bearer(ALICE.id)
    // 9,000 items count as 91 operations.
    const wide = `{ conversations(first: 100) { edges { node { messages(last: 88) { edges { node { id } } } } } } }`
    let refused: Awaited<ReturnType<typeof small.ask>> | undefined
    for (let i = 0; i < 40 && !refused; i++) {
      const answer = await small.ask(wide, {}, alice)
      if (answer.errors?.[0]?.extensions.code === "RATE_LIMITED") refused = answer
    }
    expect(refused?.errors?.[0]?.extensions).toMatchObject({
      code: "RATE_LIMITED",
      retryable: true,
    })
    expect(refused!.errors![0]!.extensions.retryAfterMs).toBeGreaterThan(0)
    expect((await small.ask(wide, {}, await small.bearer(BOB.id))).errors).toBeUndefined()
    expect((await small.ask("{ me { id } }")).errors).toBeUndefined()
    // The same person on a socket is the same person.
    const socket = await small.socket({ init: alice })
    socket.subscribe("wide", wide)
    expect(await socket.next("error", "wide")).toMatchObject({
      payload: [{ extensions: { code: "RATE_LIMITED" } }],
    })
  }, 30_000)
})

test("long frames and bodies count as several, whatever they say", async () => {
  await using small = await startWorld({ operationsPerPerson: 1, operationsPerAddress: 1 })
  const alice = await small.bearer(ALICE.id)
  const long = { nonsense: "x".repeat(200 * 1024) }
  const most = (OPERATIONS_PER_PERSON.burst * CHARACTERS_AN_OPERATION) / long.nonsense.length
  let asked = 0
  for (let isOver = false; !isOver; asked++) {
    expect(asked).toBeLessThan(2 * most)
    const answer = await small.ask("{ me { name } }", long, alice)
    isOver = answer.errors?.[0]?.extensions.code === "RATE_LIMITED"
  }
  expect(asked).toBeGreaterThan(most / 2)
  // The same person on a socket is the same person.
  const socket = await small.socket({ init: alice }).catch(() => undefined)
  socket?.send({ type: "ping", payload: long })
  expect(await (socket?.closed ?? { code: 1013 })).toMatchObject({ code: 1013 })
  expect((await small.ask("{ me { id } }", {}, await small.bearer(BOB.id))).errors).toBeUndefined()
}, 30_000)

test.each([
  ["pings of the protocol", (socket: TestSocket) => socket.send({ type: "ping" })],
  ["pings of the WebSocket", (socket: TestSocket) => socket.ping()],
])(
  "a flood of %s ends its own socket, and no other's",
  async (_what, ping) => {
    await using small = await startWorld({ operationsPerPerson: 1, operationsPerAddress: 1 })
    const socket = await small.socket({ init: await small.bearer(ALICE.id) })
    const other = await small.socket({ init: await small.bearer(BOB.id) })
    let isOver = false
    void socket.closed.then(() => {
      isOver = true
    })
    // Far more than a bucket of its person holds.
    const { burst } = OPERATIONS_PER_PERSON
    for (let i = 0; i < 2 * burst * FRAMES_AN_OPERATION && !isOver; i++) {
      ping(socket)
      if (i % 1_000 === 0) await new Promise(setImmediate)
    }
    expect(await socket.closed).toMatchObject({ code: 1013 })
    other.subscribe("1", "{ me { name } }")
    await other.next("next", "1")
  },
  30_000,
)

test("an operation of several parts ends in time, whatever its subgraphs do", async () => {
  await using slow = await startWorld({}, { operationMs: 300 })
  const query = `{ user(username: "never") { id } conversation(id: "c1") { id } }`
  const answer = await slow.ask(query, {}, await slow.bearer(ALICE.id))
  expect(answer.errors).toMatchObject([{ extensions: { code: "UNAVAILABLE", retryable: true } }])
}, 8_000)

describe("readiness", () => {
  const ready = async (of: World, headers: Record<string, string> = {}) => {
    const response = await fetch(`${of.url}/readyz`, { headers })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  test("is yes or no for strangers, and kept for a second", async () => {
    await using far = await startWorld({ publicUrl: "https://chat.example" })
    expect(await ready(far)).toEqual({ status: 200, body: { ready: true } })
    await far.stopChat()
    // What was found last is still the answer.
    expect(await ready(far)).toEqual({ status: 200, body: { ready: true } })
    far.advance(1_001)
    expect(await ready(far)).toEqual({ status: 503, body: { ready: false } })
    const known = await ready(far, { "x-parley-secret": SECRET })
    expect(known.body).toMatchObject({ ready: false, reasons: { chat: expect.any(String) } })
    expect(await ready(far, { "x-parley-secret": "guessed" })).toEqual({
      status: 503,
      body: { ready: false },
    })
  }, 20_000)

  test("is told in detail on the machine itself, and not through a proxy", async () => {
    expect((await ready(world)).body).toEqual({ ready: true, reasons: {} })
    expect((await ready(world, { "x-forwarded-for": "1.2.3.4" })).body).toEqual({ ready: true })
  })
})

describe("a socket's page", () => {
  const opens = (of: World, origin: string) =>
    of.socket({ headers: { origin } }).then(
      () => true,
      () => false,
    )

  test("is of the scheme that people's pages have", async () => {
    const { host } = new URL(world.url)
    expect(await opens(world, `http://${host}`)).toBeTrue()
    expect(await opens(world, `https://${host}`)).toBeFalse()
    expect(await opens(world, "http://localhost:4000")).toBeTrue()
    expect(await opens(world, "https://localhost:4000")).toBeFalse()
    await using secure = await startWorld({ publicUrl: "https://chat.example" })
    const secureHost = new URL(secure.url).host
    expect(await opens(secure, `https://${secureHost}`)).toBeTrue()
    expect(await opens(secure, `http://${secureHost}`)).toBeFalse()
    expect(await opens(secure, "https://chat.example")).toBeTrue()
    expect(await opens(secure, "http://chat.example")).toBeFalse()
    expect(await opens(secure, "null")).toBeFalse()
  }, 20_000)
})

test("the schema is told on one's own machine, and elsewhere only where that is asked for", () => {
  const read = (more: Record<string, string>) =>
    readGatewayConfig({
      LINK_SECRET: SECRET,
      AUTH_URL: "http://127.0.0.1:1",
      CHAT_URL: "http://127.0.0.1:2",
      ...more,
    }).introspection
  expect(read({})).toBeTrue()
  expect(read({ PUBLIC_URL: "http://127.0.0.1:4000" })).toBeTrue()
  expect(read({ PUBLIC_URL: "https://chat.example" })).toBeFalse()
  expect(read({ PUBLIC_URL: "https://localhost.chat.example" })).toBeFalse()
  expect(read({ PUBLIC_URL: "https://chat.example", INTROSPECTION: "true" })).toBeTrue()
  expect(read({ INTROSPECTION: "off" })).toBeFalse()
})

describe("where an operator sets nothing", () => {
  test.each([
    ["a person", "alice", 2_000, 300],
    ["an address without a login", undefined, 1_000, 100],
  ] as const)("%s has operations at once, and some more a second", (_who, user, burst, more) => {
    let now = 0
    const fairUse = createFairUse({}, () => now)
    const payer = { user, address: "10.0.0.1" }
    const operations = () => {
      for (let i = 0; ; i++) {
        try {
          fairUse.count(payer, 0)
        } catch {
          return i
        }
      }
    }
    const frames = () => {
      for (let i = 0; ; i++) if (!fairUse.admits(payer, 0)) return i
    }
    expect([operations(), frames()]).toEqual([burst, 10 * burst])
    now += 1_000
    expect([operations(), frames()]).toEqual([more, 10 * more])
  })
})

test("a long answer is packed quickly, and of many at once some go out as they are", async () => {
  const browser = new Request("http://gateway/", { headers: { "accept-encoding": "gzip, br" } })
  const encoding = (length: number) => encodingFor(browser, "x".repeat(length))
  expect([encoding(64 * 1024), encoding(64 * 1024 + 1)]).toEqual(["br", "gzip"])
  const packing = Array.from({ length: 15 }, () => compress("x", "br"))
  expect(encoding(2_000)).toBe("br")
  packing.push(compress("x", "br"))
  expect(encoding(2_000)).toBeUndefined()
  await Promise.all(packing)
  expect(encoding(2_000)).toBe("br")
})

test("an operation has 10 s in all, where nothing else is said", async () => {
  const timers = spyOn(globalThis, "setTimeout")
  const joined = `{ conversation(id: "c1") { id } me { id } }`
  expect((await world.ask(joined, {}, await world.bearer(ALICE.id))).errors).toBeUndefined()
  const waits = timers.mock.calls.map(([, ms]) => ms)
  timers.mockRestore()
  expect(waits).toContain(10_000)
})
