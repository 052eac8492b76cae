import { timingSafeEqual } from "node:crypto"
import { Elysia } from "elysia"
import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from "graphql"
import type { OperationArgs } from "graphql-http"
import { createHandler } from "graphql-http/lib/use/fetch"
import { makeServer } from "graphql-ws"
import * as v from "valibot"
import { type Cause, logFor, readCause } from "./cause.ts"
import { badInput, type ParleyError } from "./errors.ts"
import { extensionsOf, readExtensions } from "./extensions.ts"
import { publicError, publicResult } from "./graphql-errors.ts"
import {
  CAUSE,
  type LinkExtensions,
  LinkInit,
  plainNext,
  SECRET_HEADER,
  SHARED_NEXT,
  sharedNext,
} from "./link.ts"
import type { Logger } from "./log.ts"
import { createOperationSteps } from "./operation-steps.ts"
import { createDocumentCache } from "./operations.ts"
import {
  type BunSocket,
  type SocketWatch,
  sendFrame,
  socketLimits,
  upgradeSocket,
} from "./socket.ts"
import type { TokenVerifier, Viewer } from "./tokens.ts"
import type { Tracer } from "./tracing.ts"
import { untilStopped } from "./until-stopped.ts"

/** One operation, as its resolvers see it: who asks, from where, and what to hand back beside the data. */
export interface Call {
  viewer: Viewer | undefined
  refreshToken: string | undefined
  /** The device cookie. */
  device?: string
  userAgent: string
  address: string
  /** Undefined where whoever asks does not say. */
  cause: Cause | undefined
  /** Whether whoever asked is still there for the answer. They are not, where this process was frozen meanwhile. */
  isWaitedFor(): boolean
  /** `Set-Cookie` values for the browser. */
  setCookies: string[]
}

/** A gateway's connection, as the source of a subscription sees it. */
export interface Link {
  /**
   * Sends one result, which is JSON already, to some of the subscriptions on this connection, with what brought it about
   * where the gateway wants to know. False where the connection is gone; whoever is behind it resumes by position.
   */
  deliver(ids: readonly string[], payload: string, cause?: Cause): boolean
}

/** A checked subscription that is to be started. */
export interface Subscription<Context> {
  id: string
  link: Link
  cause: Cause | undefined
  args: ExecutionArgs & { contextValue: Context }
  /** Ends it from this side; the error, where there is one, is the last thing its client hears. */
  end(error?: ParleyError): void
}

export interface SubgraphOptions<Context extends object> {
  schema: GraphQLSchema
  secret: string
  tokens: TokenVerifier
  log: Logger
  tracer?: Tracer
  /** Told of gateways' connections. */
  watch?: SocketWatch
  context(call: Call): Context
  /** Starts a subscription and returns what stops it. Absent where the schema has none. */
  subscribe?(subscription: Subscription<Context>): () => void
  /** Resolves once the service can do its work; rejects with the reason where it cannot. */
  ready(): Promise<void>
}

/** More than the gateway ever forwards, as one frame or one request body. */
const MAX_MESSAGE_BYTES = 1024 * 1024
/** What may wait for a slow gateway before its connection is closed. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024

interface Params {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

interface LinkExtra {
  socket: BunSocket
  link?: Link
}

/** Execution arguments that remember where a subscription came from: graphql-ws hands them from hook to hook. */
type LinkArgs = ExecutionArgs & { id: string; link: Link }

/**
 * The endpoint of a subgraph: `/graphql` over HTTP and over graphql-transport-ws, for holders of the link secret only
 * (a bare subgraph answers `_entities` to anyone), and `/healthz`, `/readyz` for everyone. An Elysia app to be
 * extended and listened with.
 */
export function createSubgraph<Context extends object>(options: SubgraphOptions<Context>) {
  const { schema, log, tracer } = options
  const documents = createDocumentCache(schema)
  const calls = new WeakMap<object, Call>()
  const steps = tracer && createOperationSteps(tracer)
  const mayEnter = secretCheck(options.secret)
  const refuse = gatewayOnly(options.secret)

  async function prepare(
    params: Params,
    extensions: unknown,
    isWaitedFor: () => boolean,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    let cause: Cause | undefined
    try {
      const given = readExtensions(extensions)
      cause = readCause(given.requestId, given.traceparent)
      const call: Call = { ...(await askerOf(given)), cause, isWaitedFor, setCookies: [] }
      const checked = documents(params.query)
      if (checked.errors) return checked.errors
      const operation = getOperationAST(checked.document, params.operationName)
      if (!operation) {
        throw badInput("operationName", "The document has no one operation that this names.")
      }
      call.cause = steps ? steps.begin(call, operation) : call.cause
      const contextValue = options.context(call)
      calls.set(contextValue, call)
      return {
        schema,
        document: checked.document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue,
      }
    } catch (error) {
      return [publicError(wrap(error), logFor(log, cause))]
    }
  }

  async function askerOf({ token, refreshToken, device, userAgent, address }: LinkExtensions) {
    const viewer = token === undefined ? undefined : await options.tokens.verify(token)
    return { viewer, refreshToken, device, userAgent, address }
  }

  const run = (args: ExecutionArgs) => {
    const result = execute(args)
    return result instanceof Promise
      ? result.then((result) => finish(args, result))
      : finish(args, result)
  }

  function finish(args: ExecutionArgs, result: ExecutionResult): ExecutionResult {
    const call = callOfArgs(args)
    const shown = result.errors ? publicResult(result, logFor(log, call?.cause)) : result
    if (call) steps?.end(call, shown)
    return shown
  }

  const callOfArgs = ({ contextValue }: ExecutionArgs) => calls.get(contextValue as object)
  const cookiesOf = (args: ExecutionArgs) => callOfArgs(args)?.setCookies

  function openSubscription({ id, link, ...args }: LinkArgs): AsyncGenerator<never, void, void> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorReturnResult<void>>()
    // Its client may be gone before anyone waits for the end.
    promise.catch(() => {})
    const stop = options.subscribe?.({
      id,
      link,
      cause: callOfArgs(args)?.cause,
      args: args as Subscription<Context>["args"],
      end: (error) => (error ? reject(wrap(error)) : resolve({ done: true, value: undefined })),
    })
    return untilStopped(promise, () => {
      stop?.()
      resolve({ done: true, value: undefined })
    })
  }

  const http = createHandler({
    schema,
    execute: run,
    // What the handler finds by itself, in a request that never got as far as an operation, has no code yet.
    formatError: (error) =>
      "extensions" in error && error.extensions.code
        ? error
        : publicError(wrap(badInput("request", error.message)), log),
    async onSubscribe(request, params) {
      // graphql-http wants a context of its own shape; ours is whatever the service made.
      const { raw } = request
      const isWaitedFor = () => !raw.signal.aborted
      const args = await prepare(params as Params, extensionsOf(raw), isWaitedFor)
      return args as OperationArgs<never>
    },
    onOperation(_request, args, result) {
      const cookies = cookiesOf(args)
      if (!cookies?.length) return undefined
      const headers = new Headers({
        "content-type": "application/graphql-response+json; charset=utf-8",
      })
      for (const cookie of cookies) headers.append("set-cookie", cookie)
      const init = { status: 200, statusText: "OK", headers: headers as never }
      return [JSON.stringify(result), init]
    },
  })

  const protocol = makeServer<Record<string, unknown>, LinkExtra>({
    schema,
    execute: run,
    subscribe: (args) => openSubscription(args as LinkArgs),
    onConnect({ connectionParams, extra }) {
      const init = v.safeParse(LinkInit, connectionParams)
      if (!init.success || !mayEnter(init.output.secret)) return false
      const features = [SHARED_NEXT, CAUSE].filter((one) => init.output.features.includes(one))
      if (!features.includes(SHARED_NEXT)) {
        extra.link = plainLink(extra.socket)
        return true
      }
      extra.link = sharedLink(extra.socket, features.includes(CAUSE))
      return { features }
    },
    async onSubscribe({ extra }, id, payload) {
      const isWaitedFor = () => extra.socket.readyState === WebSocket.OPEN
      const args = await prepare(payload, payload.extensions, isWaitedFor)
      return "schema" in args ? ({ ...args, id, link: extra.link } as LinkArgs) : args
    },
    onNext(_context, _id, _payload, args, result) {
      const setCookies = cookiesOf(args)
      if (!setCookies?.length) return undefined
      return { ...result, extensions: { ...result.extensions, setCookies } } as never
    },
  })

  return new Elysia({
    serve: { reusePort: false, maxRequestBodySize: MAX_MESSAGE_BYTES },
    websocket: socketLimits({ maxFrameBytes: MAX_MESSAGE_BYTES, maxQueuedBytes: MAX_QUEUED_BYTES }),
  })
    .get("/healthz", () => "ok\n")
    .get("/readyz", () =>
      options.ready().then(
        () => "ready\n",
        (reason) => new Response(`${reason?.message ?? reason}\n`, { status: 503 }),
      ),
    )
    .all(
      "/graphql",
      ({ request, server }) => {
        // A browser cannot set this header on a socket, and a gateway proves itself in connection_init.
        if (request.headers.get("upgrade") === "websocket") {
          return upgradeSocket(request, server as never, protocol as never, {}, options.watch)
        }
        return refuse(request) ?? http(request)
      },
      { parse: "none" },
    )
}

/** Checks a given link secret, in constant time, so that it cannot be guessed byte by byte. */
export function secretCheck(secret: string): (given: string) => boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest()
  const expected = digest(secret)
  return (given) => timingSafeEqual(digest(given), expected)
}

/** What a request gets that does not carry the link secret; undefined where it does, and may enter. */
export function gatewayOnly(secret: string): (request: Request) => Response | undefined {
  const mayEnter = secretCheck(secret)
  return (request) =>
    mayEnter(request.headers.get(SECRET_HEADER) ?? "")
      ? undefined
      : new Response("This endpoint answers the gateway only.\n", { status: 403 })
}

const sharedLink = (socket: BunSocket, withCause: boolean): Link => ({
  deliver: (ids, payload, cause) =>
    sendFrame(socket, sharedNext(ids, payload, withCause ? cause : undefined)),
})

const plainLink = (socket: BunSocket): Link => ({
  deliver: (ids, payload) => ids.every((id) => sendFrame(socket, plainNext(id, payload))),
})

const wrap = (error: unknown): GraphQLError =>
  error instanceof GraphQLError
    ? error
    : new GraphQLError(error instanceof Error ? error.message : String(error), {
        originalError: error instanceof Error ? error : new Error(String(error)),
      })
