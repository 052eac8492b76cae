import { createLogger, silentLogger } from "@parley/service/log.ts"
import { until } from "@parley/service/test/until.ts"
import { createClient } from "graphql-ws"
import type { GatewayConfig } from "../config.ts"
import type { GatewayOverrides } from "../context.ts"
import { startGateway } from "../start.ts"
import { type FakeAuth, SECRET, startFakeAuth } from "./fake-auth.ts"
import { type FakeChat, startFakeChat } from "./fake-chat.ts"
import { connectSocket, type TestSocket } from "./test-socket.ts"

export const PUBLIC_URL = "http://localhost:4000"

export interface GraphQLAnswer<Data = Record<string, unknown>> {
  data?: Data | null
  errors?: {
    message: string
    path?: (string | number)[]
    extensions: { code: string; retryable: boolean; field?: string; retryAfterMs?: number }
  }[]
}

/** A gateway between two fake subgraphs, all on ports of their own. */
export async function startWorld(
  settings: Partial<GatewayConfig> = {},
  overrides: GatewayOverrides = {},
) {
  let offset = 0
  const clock = { now: () => Date.now() + offset }
  const log = createLogger("test", process.env.TEST_LOG ? "debug" : "error")
  const issuer = settings.publicUrl ?? PUBLIC_URL
  const auth: FakeAuth = await startFakeAuth({ issuer, clock, log: silentLogger })
  let chat: FakeChat = await startFakeChat({ tokens: auth.tokens, log: silentLogger })
  const gateway = await startGateway(
    {
      port: 0,
      host: "127.0.0.1",
      publicUrl: PUBLIC_URL,
      linkSecret: SECRET,
      authUrls: [`http://127.0.0.1:${auth.port}`],
      chatUrls: [`http://127.0.0.1:${chat.port}`],
      webUrl: undefined,
      introspection: true,
      logLevel: "error",
      ...settings,
    },
    { clock, log: process.env.TEST_LOG ? log : silentLogger, ...overrides },
  )
  const url = `http://127.0.0.1:${gateway.port}`
  const sockets: TestSocket[] = []
  const clients: { dispose(): void }[] = []

  const world = {
    url,
    gateway,
    get auth() {
      return auth
    },
    get chat() {
      return chat
    },
    /** Lets so many ms pass for everyone's clock. */
    advance(ms: number) {
      offset += ms
    },
    bearer: async (user: string, session?: string, lifetime?: number) => ({
      authorization: `Bearer ${await auth.sign(user, session, lifetime)}`,
    }),
    post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
      return fetch(`${url}/graphql`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json",
          ...headers,
        },
        body: typeof body === "string" ? body : JSON.stringify(body),
      })
    },
    /** Asks over HTTP. */
    async ask<Data = Record<string, unknown>>(
      query: string,
      variables: Record<string, unknown> = {},
      headers: Record<string, string> = {},
    ): Promise<GraphQLAnswer<Data>> {
      const response = await world.post({ query, variables }, headers)
      return (await response.json()) as GraphQLAnswer<Data>
    },
    /** A bare socket, for what a well-behaved client never does. */
    async socket(options: { headers?: Record<string, string>; init?: unknown } = {}) {
      const socket = await connectSocket(url.replace("http", "ws"), options.headers)
      sockets.push(socket)
      if ("init" in options) {
        socket.send({ type: "connection_init", payload: options.init })
        await socket.next("connection_ack")
      }
      return socket
    },
    /** A client as browsers have it. */
    client(token: string) {
      const client = createClient({
        url: `${url.replace("http", "ws")}/graphql`,
        connectionParams: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      })
      clients.push(client)
      return client
    },
    stopAuth: () => auth.stop(),
    stopChat: () => chat.stop(),
    async restartChat() {
      chat = await startFakeChat({ tokens: auth.tokens, log: silentLogger, port: chat.port })
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.dispose()
      for (const socket of sockets) socket.terminate()
      await gateway.stop()
      await auth.stop()
      await chat.stop()
    },
  }
  await until(
    async () => (await fetch(`${url}/readyz`)).ok || settings.webUrl !== undefined,
    "ready",
  )
  return world
}
export type World = Awaited<ReturnType<typeof startWorld>>
