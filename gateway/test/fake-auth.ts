import { buildSubgraphSchema } from "@apollo/subgraph"
import typeDefs from "@parley/auth/graphql/schema.graphql" with { type: "text" }
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { type Call, createSubgraph } from "@parley/link/subgraph.ts"
import type { Clock } from "@parley/platform/clock.ts"
import { badInput, ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { createTokenVerifier } from "@parley/platform/tokens.ts"
import { parse } from "graphql"
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from "jose"

export const SECRET = "the link secret of a gateway under test"

export interface FakeUser {
  id: string
  username: string
  name: string
}

export const ALICE: FakeUser = { id: "alice-id", username: "alice", name: "Alice" }
export const BOB: FakeUser = { id: "bob-id", username: "bob", name: "Bob" }
/** Conversations know her, auth does not: as after a loss of data. */
export const GHOST = "ghost-id"

/** What equal processes of auth have in common. */
export async function authState() {
  return {
    ...(await generateKeyPair("EdDSA")),
    users: new Map([ALICE, BOB].map((user) => [user.id, user])),
    ended: [] as { id: string; endedAt: number }[],
  }
}

/** The whole schema of auth with a handful of users in memory, and knobs for what may go wrong. */
export async function startFakeAuth(options: {
  issuer: string
  clock: Clock
  log: Logger
  port?: number
  state?: Awaited<ReturnType<typeof authState>>
}) {
  const { issuer, clock, log } = options
  const { publicKey, privateKey, users, ended } = options.state ?? (await authState())
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "EdDSA" }] }
  const tokens = createTokenVerifier({ keys: createLocalJWKSet(jwks), issuer, clock })
  const knobs = {
    /** Representations of each `_entities` request, in order. */
    lookups: [] as { id: string }[][],
    /** What each operation was called with. */
    calls: [] as Call[],
    /** Look-ups of entities wait for this. */
    gate: undefined as Promise<void> | undefined,
    /** The feed of ended sessions tells of none. */
    silent: false,
    /** The sessions that a gateway has asked for by name. */
    asked: [] as string[][],
  }

  const sign = (user: string, session = `session of ${user}`, lifetime = 600) =>
    new SignJWT({ sid: session })
      .setProtectedHeader({ alg: "EdDSA", kid: "1" })
      .setSubject(user)
      .setIssuer(issuer)
      .setAudience("parley")
      .setIssuedAt(Math.floor(clock.now() / 1000))
      .setExpirationTime(Math.floor(clock.now() / 1000) + lifetime)
      .sign(privateKey)

  async function welcome(call: Call, user: FakeUser, session?: string) {
    const token = await sign(user.id, session)
    call.setCookies.push(
      `parley_access=${token}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax`,
      `parley_refresh=refresh of ${user.id}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax`,
    )
    return user
  }

  const byName = (username: string) =>
    [...users.values()].find((user) => user.username === username)

  const resolvers = {
    Query: {
      me: (_: unknown, _args: unknown, call: Call) => call.viewer && users.get(call.viewer.user),
      user(_: unknown, { username }: { username: string }) {
        if (username === "never") return new Promise(() => {})
        if (username === "broken") throw new Error("the database password is hunter2")
        return byName(username) ?? null
      },
      users: (_: unknown, { search, first }: { search: string; first: number }) => {
        if (first > 200) throw badInput("first", "first may be 200.")
        return [...users.values()]
          .filter((user) => user.username.startsWith(search))
          .slice(0, first)
      },
      sessions: () => [],
    },
    Mutation: {
      signUp: (_: unknown, { input }: { input: { username: string } }, call: Call) => {
        if (byName(input.username)) throw new ParleyError("CONFLICT", "That name is taken.")
        const user = { id: `${input.username}-id`, username: input.username, name: input.username }
        users.set(user.id, user)
        return welcome(call, user)
      },
      signIn(_: unknown, { input }: { input: { username: string } }, call: Call) {
        const user = byName(input.username)
        if (!user) throw unauthenticated("Unknown user or wrong password.")
        return welcome(call, user)
      },
      refreshSession(_: unknown, _args: unknown, call: Call) {
        const user = users.get(call.refreshToken?.replace("refresh of ", "") ?? "")
        if (!user) throw unauthenticated()
        return welcome(call, user)
      },
      signOut(_: unknown, _args: unknown, call: Call) {
        call.setCookies.push(
          "parley_access=; Max-Age=0; Path=/",
          "parley_refresh=; Max-Age=0; Path=/",
        )
        return true
      },
      revokeSession(_: unknown, { id }: { id: string }, call: Call) {
        if (id === call.viewer?.session) call.setCookies.push("parley_access=; Max-Age=0; Path=/")
        return true
      },
    },
    User: {
      async __resolveReference({ id }: { id: string }) {
        await knobs.gate
        return users.get(id) ?? null
      },
      createdAt: () => "2026-01-01T00:00:00Z",
    },
  }

  const app = createSubgraph({
    schema: buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers as never }]),
    secret: SECRET,
    tokens,
    log,
    context(call) {
      knobs.calls.push(call)
      return call
    },
    ready: async () => {},
  })
    .get("/.well-known/jwks.json", () => jwks)
    .get("/internal/ended-sessions", ({ request }) => {
      if (request.headers.get(SECRET_HEADER) !== SECRET) return new Response(null, { status: 403 })
      return { sessions: knobs.silent ? [] : ended, now: clock.now() }
    })
    .post("/internal/sessions", async ({ request, body }) => {
      if (request.headers.get(SECRET_HEADER) !== SECRET) return new Response(null, { status: 403 })
      const { ids } = body as { ids: string[] }
      knobs.asked.push(ids)
      return { ended: ids.filter((id) => ended.some((session) => session.id === id)) }
    })
    .listen({ port: options.port ?? 0, hostname: "127.0.0.1" })

  return {
    port: app.server!.port!,
    knobs,
    tokens,
    sign,
    end: (session: string) => ended.push({ id: session, endedAt: clock.now() }),
    async stop() {
      if (app.server) await app.stop(true)
    },
  }
}
export type FakeAuth = Awaited<ReturnType<typeof startFakeAuth>>
