import { type Client, createClient, fetchExchange, subscriptionExchange } from "@urql/core"
import { authExchange } from "@urql/exchange-auth"
import type { Client as SocketClient } from "graphql-ws"
import { REQUEST_TIMEOUT_MS } from "../limits.ts"
import { codeOf } from "./errors.ts"
import { leaveEndedSession, renewSession } from "./session.ts"

declare module "@urql/core" {
  interface OperationContext {
    /** Called once each time the socket (re)connects: a subscription that resumes says where it is by then. */
    liveVariables?: () => Record<string, unknown>
  }
}

/** After the time-out a request counts as failed; whether it arrived is then unknown, and repeating it is safe. */
const fetchInTime = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  const signal = init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout
  return fetch(input, { ...init, signal })
}

/**
 * The urql client: queries and mutations by HTTP, subscriptions over the socket. An operation that is refused because the
 * access token has run out is repeated once the session is renewed; where that is refused too, the app is left.
 */
export function createGraphClient(socket: SocketClient): Client {
  return createClient({
    url: "/graphql",
    preferGetMethod: false,
    requestPolicy: "network-only",
    fetchOptions: { headers: { accept: "application/graphql-response+json, application/json" } },
    fetch: fetchInTime as typeof fetch,
    exchanges: [
      authExchange(async () => ({
        addAuthToOperation: (operation) => operation,
        didAuthError: (error) => codeOf(error) === "UNAUTHENTICATED",
        async refreshAuth() {
          if ((await renewSession()) === "refused") await leaveEndedSession()
        },
      })),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription(request, operation) {
          const { liveVariables } = operation.context
          const { query = "", variables } = request
          // graphql-ws writes the payload again on every reconnect, once: then the variables are the newest ones.
          const toJSON = () => ({ query, variables: liveVariables?.() ?? variables })
          const payload = { query, variables, toJSON }
          return {
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe(payload, {
                next: (result) => sink.next(result as Parameters<typeof sink.next>[0]),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              }),
            }),
          }
        },
      }),
    ],
  })
}
