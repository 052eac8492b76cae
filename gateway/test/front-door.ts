import { connectSocket, type TestSocket } from "@parley/testing/frames.ts"
import { createClient } from "graphql-ws"

export interface GraphQLAnswer<Data = Record<string, unknown>> {
  data?: Data | null
  errors?: {
    message: string
    path?: (string | number)[]
    extensions: { code: string; retryable: boolean; field?: string; retryAfterMs?: number }
  }[]
}

/** What a test does at the door of a gateway. */
export function frontDoor(url: string) {
  const sockets: TestSocket[] = []
  const clients: { dispose(): void }[] = []
  const door = {
    url,
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
      const response = await door.post({ query, variables }, headers)
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
    leave() {
      for (const client of clients) client.dispose()
      for (const socket of sockets) socket.terminate()
    },
  }
  return door
}
