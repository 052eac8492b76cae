import { beforeAll, describe, expect, test } from "bun:test"
import {
  base64url,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  type JWTVerifyGetKey,
  SignJWT,
  UnsecuredJWT,
} from "jose"
import { ACCESS_TOKEN, createTokenVerifier, remoteKeys, type TokenVerifier } from "./tokens.ts"

const ISSUER = "http://localhost:4000"
const clock = {
  time: Date.UTC(2026, 0, 1),
  now() {
    return this.time
  },
}
const seconds = () => Math.floor(clock.time / 1000)

type Key = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"]
let key: Key
let keys: JWTVerifyGetKey
let published: { keys: object[] }
let verifier: TokenVerifier

beforeAll(async () => {
  const pair = await generateKeyPair("EdDSA")
  key = pair.privateKey
  published = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "1", alg: "EdDSA" }] }
  keys = createLocalJWKSet(published as never)
  verifier = createTokenVerifier({ keys, issuer: ISSUER, clock })
})

const good = (): JWTPayload => ({
  ...{ sub: "alice", sid: "session", iss: ISSUER, aud: ACCESS_TOKEN.audience },
  ...{ iat: seconds(), exp: seconds() + ACCESS_TOKEN.lifetime },
})
const sign = (claims: JWTPayload, header: object = {}, by: Key | Uint8Array = key) =>
  new SignJWT(claims).setProtectedHeader({ alg: "EdDSA", kid: "1", ...header }).sign(by)

async function refusal(token: string, by = verifier): Promise<unknown> {
  try {
    return { accepted: await by.verify(token) }
  } catch (error) {
    return error
  }
}
const unauthenticated = { name: "ParleyError", code: "UNAUTHENTICATED" }

describe("a valid token", () => {
  test("says who asks, in which session, and until when", async () => {
    const expected = { user: "alice", session: "session", expiresAt: good().exp! * 1000 }
    expect(await verifier.verify(await sign(good()))).toEqual(expected)
  })

  test("is answered without a promise when it comes again, and expires all the same", async () => {
    const token = await sign(good())
    await verifier.verify(token)
    expect(verifier.verify(token)).not.toBeInstanceOf(Promise)
    clock.time += ACCESS_TOKEN.lifetime * 1000
    expect(await refusal(token)).toMatchObject({
      ...unauthenticated,
      message: expect.stringContaining("expired"),
    })
    expect(await refusal(token)).toMatchObject({
      ...unauthenticated,
      message: expect.stringContaining("expired"),
    })
    clock.time -= ACCESS_TOKEN.lifetime * 1000
  })
})

describe("a token is refused that", () => {
  const change = (claims: JWTPayload) => sign({ ...good(), ...claims })
  const parts = async () => (await sign(good())).split(".") as [string, string, string]
  const cases: [string, () => Promise<string>][] = [
    ["has expired", () => change({ exp: seconds() - 1 })],
    ["has expired this very moment", () => change({ exp: seconds() })],
    ["is not valid yet", () => change({ nbf: seconds() + 60 })],
    ["never expires", () => change({ exp: undefined })],
    ["is of another issuer", () => change({ iss: "http://evil.example" })],
    ["is of no issuer", () => change({ iss: undefined })],
    ["is for another audience", () => change({ aud: "another" })],
    ["is for no audience", () => change({ aud: undefined })],
    ["names no user", () => change({ sub: undefined })],
    ["names an empty user", () => change({ sub: "" })],
    ["names no session", () => change({ sid: undefined })],
    ["names a session that is no text", () => change({ sid: { $gt: "" } })],
    [
      "is signed with another key",
      async () => sign(good(), {}, (await generateKeyPair("EdDSA")).privateKey),
    ],
    ["names a key that is not published", () => sign(good(), { kid: "2" })],
    ["is unsigned, with alg none", async () => new UnsecuredJWT(good()).encode()],
    [
      "is unsigned, under the header of a signed one",
      async () => (await parts()).slice(0, 2).join(".").concat("."),
    ],
    [
      "has alg none over a real signature",
      async () => {
        const [, claims, signature] = await parts()
        return [base64url.encode(`{"alg":"none","kid":"1"}`), claims, signature].join(".")
      },
    ],
    [
      "uses the public key as a shared secret",
      () =>
        sign(good(), { alg: "HS256" }, new TextEncoder().encode(JSON.stringify(published.keys[0]))),
    ],
    [
      "is signed with another algorithm",
      async () => sign(good(), { alg: "ES256" }, (await generateKeyPair("ES256")).privateKey),
    ],
    [
      "was changed after it was signed",
      async () => {
        const [header, , signature] = await parts()
        return [
          header,
          base64url.encode(JSON.stringify({ ...good(), sub: "bob" })),
          signature,
        ].join(".")
      },
    ],
    ["claims nothing", () => sign({})],
    ["is longer than any of ours", () => change({ note: "x".repeat(3_000) })],
    ["is empty", async () => ""],
    ["is no token", async () => "alice"],
    ["is dots", async () => "..."],
    ["has a NUL", async () => `${await sign(good())}\0`],
    ["is a megabyte", async () => "x".repeat(1_000_000)],
  ]
  test.each(cases)("%s", async (_what, make) => {
    const token = await make()
    expect(await refusal(token)).toMatchObject(unauthenticated)
    // Nor is it remembered as a good one.
    expect(await refusal(token)).toMatchObject(unauthenticated)
  })
})

test("a bounded number of tokens is remembered", async () => {
  let lookUps = 0
  const counting: JWTVerifyGetKey = (header, token) => {
    lookUps += 1
    return keys(header, token)
  }
  const small = createTokenVerifier({ keys: counting, issuer: ISSUER, clock, cacheSize: 2 })
  const tokens = await Promise.all(["alice", "bob", "carol"].map((sub) => sign({ ...good(), sub })))
  for (const token of tokens) await small.verify(token)
  expect(lookUps).toBe(3)
  await small.verify(tokens[2]!)
  expect(lookUps).toBe(3)
  await small.verify(tokens[0]!)
  expect(lookUps).toBe(4)
})

test("a key of another algorithm signs no access token, though it is published", async () => {
  const other = await generateKeyPair("ES256")
  const published = { keys: [{ ...(await exportJWK(other.publicKey)), kid: "2" }] }
  const local = createLocalJWKSet(published as never)
  const lenient = createTokenVerifier({ keys: local, issuer: ISSUER, clock })
  const token = await sign(good(), { alg: "ES256", kid: "2" }, other.privateKey)
  expect(await refusal(token, lenient)).toMatchObject(unauthenticated)
})

describe("the keys that auth publishes", () => {
  test("are fetched when they are needed; while they cannot be had, no token is refused as invalid", async () => {
    let answer: () => Response = () => new Response("starting", { status: 503 })
    using auth = Bun.serve({ port: 0, fetch: () => answer() })
    const url = `http://127.0.0.1:${auth.port}`
    const remote = createTokenVerifier({ keys: remoteKeys([url]), issuer: ISSUER, clock })
    const token = await sign(good())
    const unavailable = { name: "ParleyError", code: "UNAVAILABLE" }
    expect(await refusal(token, remote)).toMatchObject(unavailable)
    answer = () => new Response("this is no JSON")
    expect(await refusal(token, remote)).toMatchObject(unavailable)
    answer = () => Response.json({ keys: "none" })
    expect(await refusal(token, remote)).toMatchObject(unavailable)
    answer = () => Response.json(published)
    expect(await refusal(token, remote)).toMatchObject({ accepted: { user: "alice" } })
  })

  test("are had from the next auth where one is frozen, refuses or is not there", async () => {
    const frozen = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    using refusing = Bun.serve({ port: 0, fetch: () => new Response("not yet", { status: 503 }) })
    using right = Bun.serve({ port: 0, fetch: () => Response.json(published) })
    const ports = [frozen.port, 1, refusing.port, right.port]
    const remote = createTokenVerifier({
      keys: remoteKeys(ports.map((port) => `http://127.0.0.1:${port}`)),
      issuer: ISSUER,
      clock,
    })
    const since = performance.now()
    expect(await refusal(await sign(good()), remote)).toMatchObject({ accepted: { user: "alice" } })
    expect(performance.now() - since).toBeLessThan(3_000)
    frozen.stop(true)
  })

  test("of an auth that is not there are UNAVAILABLE", async () => {
    const remote = createTokenVerifier({
      keys: remoteKeys(["http://127.0.0.1:1"]),
      issuer: ISSUER,
      clock,
    })
    expect(await refusal(await sign(good()), remote)).toMatchObject({ code: "UNAVAILABLE" })
  })
})

test("a token of more than 2,048 characters is refused unread, though it is signed", async () => {
  const padded = async (pad: number) => sign({ ...good(), pad: "x".repeat(pad) })
  const short = await padded(1_000)
  const long = await padded(2_000)
  expect([short.length < 2_048, long.length > 2_048]).toEqual([true, true])
  expect(await refusal(short)).toMatchObject({ accepted: { user: "alice" } })
  expect(await refusal(long)).toMatchObject({ code: "UNAUTHENTICATED" })
})
