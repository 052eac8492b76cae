import { timingSafeEqual } from "node:crypto"
import { badInput, type ParleyError } from "@parley/platform/errors.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { Elysia } from "elysia"
import type { ExecutionArgs } from "graphql"
import type { OperationArgs } from "graphql-http"
import { createHandler } from "graphql-http/lib/use/fetch"
import { makeServer } from "graphql-ws"
import * as v from "valibot"
import { AnswerBackPressure, boundAnswers } from "./answers.ts"
import { Cancellation, cancellationOf, notWaitedFor } from "./cancellation.ts"
import { boundEvents, type Ends, type Link, plainLink, sharedLink } from "./event-link.ts"
import { extensionsOf } from "./extensions.ts"
import { publicError } from "./graphql-errors.ts"
import { EVENTS_WAITING_BYTES, LINK_FRAME_BYTES } from "./limits.ts"
import {
  createOperationRuns,
  type Params,
  type RunArgs,
  type RunOptions,
  wrap,
} from "./operation-runs.ts"
import { CAUSE, type Carries, LinkInit, SECRET_HEADER, SHARED_NEXT } from "./protocol.ts"
import { SingleAnswer } from "./single-answer.ts"
import { type BunSocket, type SocketWatch, socketLimits, upgradeSocket } from "./socket.ts"
import { untilStopped } from "./until-stopped.ts"

export type { Link } from "./event-link.ts"
export type { Call } from "./operation-runs.ts"

/** A checked subscription that is to be started. */
export interface SubscriptionRequest<Context> {
  id: string
  link: Link
  cause: RequestContext | undefined
  args: ExecutionArgs & { contextValue: Context }
  /** Ends it from this side; the error, where there is one, is the last thing its client hears. */
  end(error?: ParleyError): void
}

export interface SubgraphOptions<Context extends object> extends RunOptions<Context> {
  secret: string
  /** Told of gateways' connections. */
  watch?: SocketWatch
  /** Starts a subscription and returns what stops it. Absent where the schema has none. */
  subscribe?(subscription: SubscriptionRequest<Context>): () => void
  /** Resolves once the service can do its work; rejects with the reason where it cannot. */
  ready(): Promise<void>
}

interface LinkExtra {
  socket: BunSocket
  link?: Link
  backPressure?: AnswerBackPressure
  /** Undefined: anything. */
  carries?: Carries
  /** Ends the subscriptions of the connection, by their ids. */
  ends?: Ends
}

/** Execution arguments that remember which connection they came over, too. */
type LinkArgs = RunArgs & {
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
  const { schema, log, answerBytes = ANSWER_BYTES } = options
  const { prepare, run } = createOperationRuns(options)
  const mayEnter = secretCheck(options.secret)
  const refuse = gatewayOnly(options.secret)

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
    let stop: (() => void) | undefined
    let isTooLong = false
    ends.set(id, (error) => {
      isTooLong = true
      stop?.()
      end(error)
    })
    stop = options.subscribe?.({
      id,
      link,
      cause: args.operation.call.cause,
      args: args as never,
      end,
    })
    // It was while it began: then there was nothing yet to stop it by.
    if (isTooLong) stop?.()
    return untilStopped(promise, () => {
      stop?.()
      end()
    })
  }

  const http = createHandler({
    schema,
    execute: (args) => run(args as RunArgs),
    // Errors of the handler itself, about a request that never became an operation, have no code yet.
    formatError: (error) =>
      "extensions" in error && error.extensions.code
        ? error
        : publicError(wrap(badInput("request", error.message)), log),
    async onSubscribe(request, params) {
      // graphql-http wants a context of its own shape; ours is whatever the service made.
      const { raw } = request
      const isConnected = () => !raw.signal.aborted
      const cancellation = cancellationOf(raw.signal)
      const bytes = Number(raw.headers.get("content-length"))
      const extensions = extensionsOf(raw)
      const args = await prepare(params as Params, extensions, isConnected, cancellation, bytes)
      return args as OperationArgs<never>
    },
    onOperation(_request, args, result) {
      const cookies = (args as unknown as RunArgs).operation.call.setCookies
      if (!cookies.length) return undefined
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
      const { operation } = args as RunArgs
      return new SingleAnswer(operation.cancellation, () => run(args as RunArgs)) as never
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
      extra.backPressure = new AnswerBackPressure(extra.socket)
      return isShared ? { features } : true
    },
    async onSubscribe(connection, id, payload) {
      const { socket, backPressure, ends, link, carries } = connection.extra
      const { frameSize = 0 } = socket.data
      try {
        const paused = backPressure?.enter(frameSize)
        if (paused) {
          await paused
          // Told to no client: by now the operation has been completed, or its connection is gone.
          if (!(id in connection.subscriptions)) return [wrap(notWaitedFor)]
        }
      } catch (error) {
        return [publicError(wrap(error), log)]
      }
      const isConnected = () => socket.readyState === WebSocket.OPEN
      const cancellation = new Cancellation()
      const { extensions } = payload
      const args = await prepare(payload, extensions, isConnected, cancellation, frameSize, carries)
      return "schema" in args ? ({ ...args, id, link, ends } as LinkArgs) : args
    },
    onClose({ extra }) {
      extra.backPressure?.close()
    },
    onNext(_context, _id, _payload, args, result) {
      const { setCookies } = (args as RunArgs).operation.call
      if (!setCookies.length) return undefined
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

/** Refuses with 403 a request that does not carry the link secret; undefined lets it pass. */
export function gatewayOnly(secret: string): (request: Request) => Response | undefined {
  const mayEnter = secretCheck(secret)
  return (request) =>
    mayEnter(request.headers.get(SECRET_HEADER) ?? "")
      ? undefined
      : new Response("This endpoint answers the gateway only.\n", { status: 403 })
}
