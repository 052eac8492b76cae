import { Cancellation } from "@parley/link/cancellation.ts"
import { CLOSE } from "@parley/link/close-codes.ts"
import { SingleAnswer } from "@parley/link/single-answer.ts"
import type { BunSocket } from "@parley/link/socket.ts"
import {
  badInput,
  type ErrorCode,
  ParleyError,
  unauthenticated,
  unavailable,
} from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { Viewer } from "@parley/platform/tokens.ts"
import { type ExecutionArgs, GraphQLError } from "graphql"
import { type Context, makeServer, type Server, type SubscribePayload } from "graphql-ws"
import type { AccessLog } from "./access-log.ts"
import type { Client, ClientOptions } from "./client.ts"
import { bearerToken } from "./credentials.ts"
import type { FairUse } from "./limits/fair-use.ts"
import type { Observers } from "./observers.ts"
import { publicWireError } from "./operations/answer.ts"
import type { Documents } from "./operations/documents.ts"
import type { Executor, Variables } from "./operations/executor.ts"
import type { Operation } from "./operations/operation.ts"
import type { Sessions } from "./sessions.ts"
import type { FanOut } from "./subscriptions/fan-out.ts"
import { createSubscriptionQuota } from "./subscriptions/quota.ts"
import { Subscriber } from "./subscriptions/subscriber.ts"
import type {
  CompiledSubscription,
  SubscriptionCompiler,
} from "./subscriptions/subscription-compiler.ts"
import type { Pools } from "./upstream/caller.ts"

/** Operations that one socket may have under way, its subscriptions among them. */
export const MAX_OPERATIONS = 100
export interface SocketOptions extends Observers, ClientOptions {
  documents: Documents
  executor: Executor
  fairUse: FairUse
  compiler: SubscriptionCompiler
  sessions: Sessions
  pools: Pools<Subscriber>
  deliver: FanOut
  access: AccessLog | undefined
  log: Logger
}

export interface Extra {
  socket: BunSocket
  client: Client
}
type Connection = Context<Record<string, unknown>, Extra>

/** What an operation is run with: graphql-ws hands it from hook to hook. */
type Args = ExecutionArgs & {
  connection: Connection
  id: string
  operation: Operation
  variables: Variables
  /** Of a subscription. */
  compiled: CompiledSubscription | undefined
}

/** Serves queries, mutations and subscriptions over graphql-transport-ws, to clients that are signed in. */
export function createSocketServer(options: SocketOptions): Server<Extra> {
  const { documents, executor, fairUse, compiler, sessions, pools, deliver } = options
  const { access, metrics, log } = options
  const quota = createSubscriptionQuota()

  async function connect(connection: Connection): Promise<boolean> {
    const { client, socket } = connection.extra
    client.opened(socket)
    const token = bearerToken(connection.connectionParams?.authorization) ?? client.takeToken()
    // What the client sent is not needed again, and there are many clients.
    ;(connection as { connectionParams?: unknown }).connectionParams = undefined
    if (!token) return false
    let viewer: Viewer
    try {
      viewer = await sessions.viewer(token)
    } catch (error) {
      if (error instanceof ParleyError && error.code === "UNAUTHENTICATED") return false
      client.close(CLOSE.tryAgainLater, "Tokens cannot be checked just now: try again later")
      return true
    }
    if (socket.readyState !== WebSocket.OPEN) return false
    client.takeToken()
    client.renew(token, viewer.expiresAt)
    client.session = sessions.enter(viewer, client)
    client.acknowledged()
    if (!client.session)
      client.close(CLOSE.tryAgainLater, "Too many connections of one session or person")
    return true
  }

  async function prepare(
    connection: Connection,
    id: string,
    payload: SubscribePayload,
  ): Promise<Args | readonly unknown[]> {
    if (Object.keys(connection.subscriptions).length > MAX_OPERATIONS) return [tooManyOperations()]
    const payer = connection.extra.client.payer
    const checked = await documents.take(payload.query, payload.operationName, payer)
    if (checked.errors) return checked.errors
    const { operation } = checked
    if (operation.roots.dealsInCookies) return [badInput("query", COOKIES_NEED_HTTP)]
    await authenticate(connection.extra.client, payload.extensions?.authorization)
    const variables = executor.variables(operation, payload.variables ?? {})
    if (variables.refusal) return variables.refusal
    fairUse.count(payer, variables.items)
    await documents.plan(operation, payer)
    const compiled =
      operation.kind === "subscription" ? compiler.of(operation, variables.values) : undefined
    forget(payload)
    const { document } = operation
    return {
      schema: undefined as never,
      document,
      connection,
      id,
      operation,
      variables: variables.values,
      compiled,
    }
  }

  /** @throws ParleyError UNAUTHENTICATED where the token that the socket goes by has expired, and no newer one came with this. */
  async function authenticate(client: Client, authorization: unknown): Promise<void> {
    const { session } = client
    if (!session) throw unauthenticated()
    const token = bearerToken(authorization)
    if (token !== undefined) {
      const viewer = await sessions.viewer(token)
      if (viewer.session !== session.id) {
        throw unauthenticated("That token belongs to another session than this connection.")
      }
      client.renew(token, viewer.expiresAt)
    }
    client.mustBeValid()
  }

  /** Answers one operation; where its client completes it before, what it asked of the subgraphs is completed there. */
  function execute({ connection, id, operation, variables }: Args): SingleAnswer<never> {
    const { client } = connection.extra
    const cancellation = new Cancellation()
    return new SingleAnswer<never>(cancellation, async () => {
      const caller = client.caller()
      // What a mutation changes it changes, whether its client waits or not.
      if (operation.kind === "query") caller.cancellation = cancellation
      const beganAt = performance.now()
      const { json, refused, code } = await executor.run(operation, variables, caller)
      const took = performance.now() - beganAt
      access?.answered(client.noted(operation, code, caller.cause?.requestId, took))
      // The client may have lost interest meanwhile, and its id may be another operation's by now.
      if (cancellation.reason) return undefined
      if (!refused) {
        const frame = `{"id":${JSON.stringify(id)},"type":"next","payload":${json}}`
        if (client.answer(frame)) return undefined
      }
      // No data at all: an `error` message, which also completes the operation.
      delete (connection.subscriptions as Record<string, unknown>)[id]
      const errors = refused ? JSON.parse(json).errors : [tooManyAnswers()]
      client.send(JSON.stringify({ id, type: "error", payload: errors }))
      return undefined
    })
  }

  async function subscribe(args: Args): Promise<Subscriber> {
    const { connection, id, operation, variables } = args
    const { client } = connection.extra
    const compiled = args.compiled!
    const subscriber = new Subscriber(JSON.stringify(id), compiled, client, deliver)
    const refusal = quota.enter(client.user, subscriber, operation)
    if (refusal) {
      metrics?.subscribed(refusal.code)
      subscriber.refused(refusal)
      return subscriber
    }
    const pool = pools.get(compiled.subgraph)!
    try {
      const ask = compiler.ask(operation, variables)
      subscriber.opened(await pool.subscribe(ask, client.caller(), subscriber))
      metrics?.subscribed("OK")
    } catch (error) {
      const { code } = error instanceof ParleyError ? error : unavailable("")
      metrics?.subscribed(code)
      if (error instanceof ParleyError && code !== "UNAVAILABLE") subscriber.refused(error)
      else subscriber.unopened()
    }
    return subscriber
  }

  function graphqlErrors({ client }: Extra, errors: readonly unknown[]): GraphQLError[] {
    const shown = errors.map((error) => {
      const { message, path, extensions } = publicWireError(error, log)
      const { nodes, source, positions } = error instanceof GraphQLError ? error : {}
      return new GraphQLError(message, { nodes, source, positions, path, extensions })
    })
    const code = shown[0]?.extensions.code as ErrorCode
    metrics?.refused(code)
    access?.answered(client.noted(undefined, code))
    return shown
  }

  return makeServer<Record<string, unknown>, Extra>({
    onConnect: connect,
    async onSubscribe(connection, id, payload) {
      try {
        const args = await prepare(connection as Connection, id, payload)
        return "operation" in args ? args : graphqlErrors(connection.extra, args)
      } catch (error) {
        return graphqlErrors(connection.extra, [error])
      }
    },
    execute: (args) => execute(args as Args) as never,
    subscribe: (args) => subscribe(args as Args),
    onClose({ extra: { client } }) {
      client.acknowledged()
      if (client.session) sessions.leave(client.session, client)
      client.session = undefined
    },
  })
}

/** A subscription lives long, and graphql-ws keeps its payload: let it not hold a text and variables of its own. */
function forget(payload: SubscribePayload): void {
  const kept = payload as { query: string; variables?: unknown; extensions?: unknown }
  kept.query = ""
  kept.variables = undefined
  kept.extensions = undefined
}

const COOKIES_NEED_HTTP =
  "This operation sets cookies, which a WebSocket cannot: send it over HTTP, POST to this same path."

const tooManyOperations = () =>
  new ParleyError(
    "RATE_LIMITED",
    `One connection may have ${MAX_OPERATIONS} operations under way.`,
    { retryAfterMs: 1_000 },
  )

const tooManyAnswers = () => {
  const { message, extensions } = new ParleyError(
    "RATE_LIMITED",
    "Too many answers wait for this connection to read them.",
    { retryAfterMs: 1_000 },
  )
  return { message, extensions }
}
