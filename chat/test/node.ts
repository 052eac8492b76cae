import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { unauthenticated } from "@parley/platform/errors.ts"
import { createLogger } from "@parley/platform/log.ts"
import type { TokenVerifier } from "@parley/platform/tokens.ts"
import { type Client, createClient } from "graphql-ws"
import type { ChatConfig } from "../config.ts"
import type { ChatOverrides } from "../context.ts"
import type { Directory } from "../directory.ts"
import { startChat } from "../start.ts"
import { LIFTED } from "./lifted.ts"

export const SECRET = "the link secret of a chat node under test"

/** In these tests a token is a user's name; who exists is who has a short one. */
export const tokens: TokenVerifier = {
  verify(token) {
    if (!/^[a-z]+\d*$/.test(token)) throw unauthenticated()
    return { user: token, session: `session of ${token}`, expiresAt: Number.MAX_SAFE_INTEGER }
  },
}
export const everyone: Directory = {
  allExist: async (users) => users.every((user) => /^[a-z]+\d*$/.test(user)),
}

export interface Answer<Data> {
  data?: Data | null
  errors?: { message: string; extensions: { code: string; retryable: boolean; field?: string } }[]
}

/** A real chat node on a port of its own. */
export async function startNode(
  dataDir: string,
  overrides: Partial<ChatOverrides> = {},
  settings: Partial<ChatConfig> = {},
) {
  const config = {
    port: 0,
    host: "127.0.0.1",
    dataDir,
    publicUrl: "http://localhost",
    authUrls: ["http://127.0.0.1:1"],
    linkSecret: SECRET,
    logLevel: "error" as const,
    nodeUrl: undefined,
    cluster: undefined,
    writeLimits: LIFTED,
    ...settings,
  }
  const log = createLogger("chat", "error")
  const node = await startChat(config, { tokens, directory: everyone, log, ...overrides })
  const clients = new Set<Client>()

  return {
    port: node.port,

    /** Asks over HTTP, as a user. */
    async ask<Data>(user: string, query: string, variables: object = {}): Promise<Answer<Data>> {
      const response = await fetch(`http://127.0.0.1:${node.port}/graphql`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          [SECRET_HEADER]: SECRET,
          authorization: `Bearer ${user}`,
        },
        body: JSON.stringify({ query, variables }),
      })
      return response.json() as Promise<Answer<Data>>
    },

    /** A connection as a plain graphql-ws client has it. */
    connect(): Client {
      const client = createClient({
        url: `ws://127.0.0.1:${node.port}/graphql`,
        connectionParams: { secret: SECRET },
        retryAttempts: 0,
        onNonLazyError: () => {},
      })
      clients.add(client)
      return client
    },

    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.dispose()
      await node.stop()
    },
  }
}
export type Node = Awaited<ReturnType<typeof startNode>>
