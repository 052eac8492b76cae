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
import { AnswerGate, boundAnswers } from "./answers.ts"
import {
  Cancellation,
  cancellationOf,
  cancelWith,
  notWaitedFor,
  stopCancelled,
} from "./cancellation.ts"
import { type Cause, logFor, readCause } from "./cause.ts"
import { createDeadlines } from "./deadlines.ts"
import { badInput, type ParleyError } from "./errors.ts"
import { boundEvents, type Ends, type Link, plainLink, sharedLink } from "./event-link.ts"
import { extensionsOf, readExtensions } from "./extensions.ts"
import { publicError, publicResult } from "./graphql-errors.ts"
import { createLanes } from "./lanes.ts"
import { ANSWER_BYTES, EVENTS_WAITING_BYTES, LINK_FRAME_BYTES, OPERATION_MS } from "./limits.ts"
import {
  CAUSE,
  type Carries,
  type LinkExtensions,
  LinkInit,
  SECRET_HEADER,
  SHARED_NEXT,
} from "./link.ts"
import type { Logger } from "./log.ts"
import { createOperationSteps } from "./operation-steps.ts"
import { createDocumentCache } from "./operations.ts"
import { SingleAnswer } from "./single-answer.ts"
import { type BunSocket, type SocketWatch, socketLimits, upgradeSocket } from "./socket.ts"
import type { TokenVerifier, Viewer } from "./tokens.ts"
import type { Tracer } from "./tracing.ts"
import { createTurns, type Turns } from "./turns.ts"
import { untilStopped } from "./until-stopped.ts"
import { answerTooLarge, type Work } from "./work.ts"

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
  /** Aborted where the operation is over before its end: its client has lost interest, or it takes too long. Stores may look at it. */
  readonly signal: AbortSignal
  /** `Set-Cookie` values for the browser. */
  setCookies: string[]
}

export type { Link } from "./event-link.ts"

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
  /** @param work where resolvers ask for their turn, and say what they add to the answer. */
  context(call: Call, work: Work): Context
  /** Starts a subscription and returns what stops it. Absent where the schema has none. */
  subscribe?(subscription: Subscription<Context>): () => void
  /** Resolves once the service can do its work; rejects with the reason where it cannot. */
  ready(): Promise<void>
  /** Bytes of one answer or event. */
  answerBytes?: number
  /** How long one operation may take, in ms. */
  operationMs?: number
  /** How the service's thread is shared out, where it shares it with more than operations. */
  turns?: Turns
}

interface Params {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

interface LinkExtra {
  socket: BunSocket
  link?: Link
  gate?: AnswerGate
  /** Undefined: anything. */
  carries?: Carries
  /** Ends the subscriptions of the connection, by their ids. */
  ends?: Ends
}

/** Execution arguments that remember where a subscription came from: graphql-ws hands them from hook to hook. */
type LinkArgs = ExecutionArgs & {
  id: string
  link: Link
  ends: Ends
}

/**
 * The endpoint of a subgraph: `/graphql` over HTTP and over graphql-transport-ws, for holders of the link secret only
 * (a bare subgraph answers `_entities` to anyone), and `/healthz`, `/readyz` for everyone. An Elysia app to be
 * extended and listened with.
 */
export function createSubgraph<Context extends object>(options: SubgraphOptions<Context>) {
  const { schema, log, tracer, answerBytes = ANSWER_BYTES } = options
  stopCancelled(schema)
  const documents = createDocumentCache(schema)
  const calls = new WeakMap<object, Call>()
  const cancellations = new WeakMap<Call, Cancellation>()
  const works = new WeakMap<object, Work>()
  const deadlines = createDeadlines(options.operationMs ?? OPERATION_MS)
  const steps = tracer && createOperationSteps(tracer)
  const mayEnter = secretCheck(options.secret)
  const refuse = gatewayOnly(options.secret)
  const turns = options.turns ?? createTurns()
  const lanes = createLanes()
  const answerIsTooLarge = () => answerTooLarge(answerBytes)

  async function prepare(
    params: Params,
    extensions: unknown,
    isConnected: () => boolean,
    cancellation: Cancellation,
    carries?: Carries,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    let cause: Cause | undefined
    try {
      const given = readExtensions(extensions)
      cause = readCause(given.requestId, given.traceparent)
      const asker = await askerOf(given)
      const checked = documents(params.query)
      if (checked.errors) return checked.errors
      const operation = getOperationAST(checked.document, params.operationName)
      if (!operation) {
        throw badInput("operationName", "The document has no one operation that this names.")
      }
      if (carries && (carries === "events") !== (operation.operation === "subscription")) {
        throw badInput("query", `This connection carries ${carries} alone.`)
      }
      const person = personOf(asker)
      if (operation.operation !== "subscription") lanes.check(person, operation.operation)
      const isWaitedFor = () => isConnected() && cancellation.reason === undefined
      const work = turns.work({
        person,
        bytes: answerBytes,
        tooLarge: answerIsTooLarge,
        isWaitedFor,
      })
      const call: Call = {
        ...asker,
        cause,
        isWaitedFor,
        get signal() {
          return cancellation.signal
        },
        setCookies: [],
      }
      call.cause = steps ? steps.begin(call, operation) : call.cause
      const contextValue = options.context(call, work)
      calls.set(contextValue, call)
      cancellations.set(call, cancellation)
      cancelWith(contextValue, cancellation)
      works.set(contextValue, work)
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
    const call = callOfArgs(args)
    const kind = getOperationAST(args.document, args.operationName)?.operation
    if (!call || !kind || kind === "subscription") return executeNow(args)
    const person = personOf(call)
    const entered = lanes.enter(person, kind)
    const leave = () => lanes.leave(person, kind)
    try {
      const result = entered ? entered.then(() => executeNow(args)) : executeNow(args)
      if (result instanceof Promise) return result.finally(leave)
      leave()
      return result
    } catch (error) {
      leave()
      throw error
    }
  }

  function executeNow(args: ExecutionArgs) {
    works.get(args.contextValue as object)?.begin()
    const result = execute(args)
    return result instanceof Promise
      ? result.then((result) => finish(args, result))
      : finish(args, result)
  }

  function finish(args: ExecutionArgs, whole: ExecutionResult): ExecutionResult {
    const call = callOfArgs(args)
    const work = works.get(args.contextValue as object)
    work?.done()
    const reason = call && cancellations.get(call)?.reason
    if (reason === notWaitedFor) {
      steps?.end(call!, {})
      return {}
    }
    // Its parts have failed for this one reason, by the thousand; what they refused to begin is no error of its own.
    const result = reason
      ? { errors: [wrap(reason)] }
      : work?.failure
        ? { data: null, errors: [wrap(work.failure)] }
        : whole
    const shown = result.errors ? publicResult(result, logFor(log, call?.cause)) : result
    if (call) steps?.end(call, shown)
    return shown
  }

  /** Runs an operation, for so long as it may take: the answer is a refusal where it is not done by then. */
  function runInTime(args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
    const cancellation = cancellationOfArgs(args)
    if (!cancellation) return run(args)
    const result = run(args)
    if (!(result instanceof Promise)) return result
    return new Promise((resolve, reject) => {
      const giveUp = () => resolve(finish(args, {}))
      const end = () => {
        deadlines.end(cancellation)
        cancellation.unlisten(giveUp)
      }
      cancellation.listen(giveUp)
      deadlines.begin(cancellation)
      result.then(resolve, reject).finally(end)
    })
  }

  const callOfArgs = ({ contextValue }: ExecutionArgs) => calls.get(contextValue as object)
  const cancellationOfArgs = (args: ExecutionArgs) => {
    const call = callOfArgs(args)
    return call && cancellations.get(call)
  }
  const cookiesOf = (args: ExecutionArgs) => callOfArgs(args)?.setCookies

  function openSubscription({
    id,
    link,
    ends,
    ...args
  }: LinkArgs): AsyncGenerator<never, void, void> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorReturnResult<void>>()
    // Its client may be gone before anyone waits for the end.
    promise.catch(() => {})
    const end = (error?: ParleyError) => {
      ends.delete(id)
      if (error) reject(wrap(error))
      else resolve({ done: true, value: undefined })
    }
    const stop = options.subscribe?.({
      id,
      link,
      cause: callOfArgs(args)?.cause,
      args: args as Subscription<Context>["args"],
      end,
    })
    ends.set(id, (error) => {
      stop?.()
      end(error)
    })
    return untilStopped(promise, () => {
      stop?.()
      end()
    })
  }

  const http = createHandler({
    schema,
    execute: runInTime,
    // What the handler finds by itself, in a request that never got as far as an operation, has no code yet.
    formatError: (error) =>
      "extensions" in error && error.extensions.code
        ? error
        : publicError(wrap(badInput("request", error.message)), log),
    async onSubscribe(request, params) {
      // graphql-http wants a context of its own shape; ours is whatever the service made.
      const { raw } = request
      const isConnected = () => !raw.signal.aborted
      const cancellation = cancellationOf(raw.signal)
      const args = await prepare(params as Params, extensionsOf(raw), isConnected, cancellation)
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
    execute(args) {
      const cancellation = cancellationOfArgs(args)
      if (!cancellation) return run(args)
      return new SingleAnswer(cancellation, () => runInTime(args)) as never
    },
    subscribe: (args) => openSubscription(args as LinkArgs),
    onConnect({ connectionParams, extra }) {
      const init = v.safeParse(LinkInit, connectionParams)
      if (!init.success || !mayEnter(init.output.secret)) return false
      const features = [SHARED_NEXT, CAUSE].filter((one) => init.output.features.includes(one))
      const isShared = features.includes(SHARED_NEXT)
      const link = isShared
        ? sharedLink(extra.socket, features.includes(CAUSE))
        : plainLink(extra.socket)
      const ends: Ends = new Map()
      extra.ends = ends
      extra.carries = init.output.carries
      extra.link = boundEvents(link, ends, answerBytes)
      extra.gate = new AnswerGate(extra.socket)
      return isShared ? { features } : true
    },
    async onSubscribe({ extra }, id, payload) {
      const { socket, gate, ends, link, carries } = extra
      try {
        const paused = gate?.enter(socket.data.frameSize ?? 0)
        if (paused) await paused
      } catch (error) {
        return [publicError(wrap(error), log)]
      }
      const isConnected = () => socket.readyState === WebSocket.OPEN
      const cancellation = new Cancellation()
      const args = await prepare(payload, payload.extensions, isConnected, cancellation, carries)
      return "schema" in args ? ({ ...args, id, link, ends } as LinkArgs) : args
    },
    onClose({ extra }) {
      extra.gate?.close()
    },
    onNext(_context, _id, _payload, args, result) {
      const setCookies = cookiesOf(args)
      if (!setCookies?.length) return undefined
      return { ...result, extensions: { ...result.extensions, setCookies } } as never
    },
  })

  const bounded = boundAnswers(protocol, answerBytes)
  return new Elysia({
    serve: { reusePort: false, maxRequestBodySize: LINK_FRAME_BYTES },
    websocket: socketLimits({
      maxFrameBytes: LINK_FRAME_BYTES,
      maxQueuedBytes: EVENTS_WAITING_BYTES,
    }),
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
          return upgradeSocket(request, server as never, bounded as never, {}, options.watch)
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

/** Whose turns the operation takes: the viewer's, or their address's; undefined for a gateway's shared work. */
const personOf = ({ viewer, address }: Pick<Call, "viewer" | "address">): string | undefined =>
  viewer?.user ?? (address || undefined)

const wrap = (error: unknown): GraphQLError =>
  error instanceof GraphQLError
    ? error
    : new GraphQLError(error instanceof Error ? error.message : String(error), {
        originalError: error instanceof Error ? error : new Error(String(error)),
      })
