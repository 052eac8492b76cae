import { createLogger, silentLogger } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import type { GatewayConfig } from "../config.ts"
import type { GatewayOverrides } from "../context.ts"
import { startGateway } from "../start.ts"
import { type FakeAuth, SECRET, startFakeAuth } from "./fake-auth.ts"
import { type FakeChat, startFakeChat } from "./fake-chat.ts"
import { frontDoor } from "./front-door.ts"

export const PUBLIC_URL = "http://localhost:4000"

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
  const door = frontDoor(url)

  const world = {
    ...door,
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
    stopAuth: () => auth.stop(),
    stopChat: () => chat.stop(),
    async restartChat() {
      chat = await startFakeChat({ tokens: auth.tokens, log: silentLogger, port: chat.port })
    },
    async [Symbol.asyncDispose]() {
      door.leave()
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
