import { badInput } from "@parley/platform/errors.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import type { Logger } from "@parley/platform/log.ts"
import {
  logFor,
  type RequestContext,
  readRequestContext,
} from "@parley/platform/request-context.ts"
import type { TokenVerifier, Viewer } from "@parley/platform/tokens.ts"
import type { Tracer } from "@parley/platform/tracing.ts"
import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationTypeNode,
} from "graphql"
import { type Cancellation, cancelWith, notWaitedFor, stopCancelled } from "./cancellation.ts"
import { createDeadlines } from "./deadlines.ts"
import { createDocumentCache } from "./document-cache.ts"
import { readExtensions } from "./extensions.ts"
import { publicError, publicResult } from "./graphql-errors.ts"
import { createLanes } from "./lanes.ts"
import { OPERATION_MS } from "./limits.ts"
import { createOperationSpans } from "./operation-spans.ts"
import type { Carries, LinkExtensions } from "./protocol.ts"
import { createTurns, type Turns } from "./turns.ts"
import { answerTooLarge, type Work } from "./work.ts"

/** One operation, as its resolvers see it: its viewer, their address, and the cookies that go back beside the data. */
export interface Call {
  viewer: Viewer | undefined
  refreshToken: string | undefined
  /** The device cookie. */
  device?: string
  userAgent: string
  address: string
  /** Undefined where the gateway names none. */
  cause: RequestContext | undefined
  /** Whether the gateway is still connected for the answer. It is not where this process was frozen meanwhile. */
  isWaitedFor(): boolean
  /** Aborts when the client cancels the operation or it takes too long. Stores may look at it. */
  readonly signal: AbortSignal
  /** `Set-Cookie` values for the browser. */
  setCookies: string[]
}

export interface RunOptions<Context extends object> {
  schema: GraphQLSchema
  tokens: TokenVerifier
  log: Logger
  tracer?: Tracer
  /** @param work where resolvers ask for their turn, and say what they add to the answer. */
  context(call: Call, work: Work): Context
  /** Bytes of one answer or event. */
  answerBytes?: number
  /** How long one operation may take, in ms. */
  operationMs?: number
  /** How the service's thread is shared out, where it shares it with more than operations. */
  turns?: Turns
}

export interface Params {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

/** An operation from its check to its end. */
interface Operation {
  call: Call
  work: Work
  cancellation: Cancellation
  kind: OperationTypeNode
  /** Whose turns it takes. */
  person: string | undefined
  /** Of the frame that it came in. */
  bytes: number
}

/** Execution arguments that remember their operation: graphql-ws and graphql-http hand them from hook to hook. */
export interface RunArgs extends ExecutionArgs {
  operation: Operation
}

/**
 * Runs the operations of a subgraph: checks who asks and what, lets each person's wait behind their own, bounds what an
 * answer may have and how long it may take, and stops what has been cancelled.
 */
export function createOperationRuns<Context extends object>(options: RunOptions<Context>) {
  const { schema, log, tracer, answerBytes = ANSWER_BYTES } = options
  stopCancelled(schema)
  const documents = createDocumentCache(schema)
  const deadlines = createDeadlines(options.operationMs ?? OPERATION_MS)
  const spans = tracer && createOperationSpans(tracer)
  const turns = options.turns ?? createTurns()
  const lanes = createLanes()
  const answerIsTooLarge = () => answerTooLarge(answerBytes)

  /** @returns what to execute, or why it is not executed. */
  async function prepare(
    params: Params,
    extensions: unknown,
    isConnected: () => boolean,
    cancellation: Cancellation,
    bytes: number,
    carries?: Carries,
  ): Promise<RunArgs | readonly GraphQLError[]> {
    let cause: RequestContext | undefined
    try {
      const given = readExtensions(extensions)
      cause = readRequestContext(given.requestId, given.traceparent)
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
      const kind = operation.operation
      const person = personOf(asker)
      if (kind !== "subscription") lanes.check(person, kind, bytes)
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
      call.cause = spans ? spans.begin(call, operation) : call.cause
      const contextValue = options.context(call, work)
      cancelWith(contextValue, cancellation)
      return {
        schema,
        document: checked.document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue,
        operation: { call, work, cancellation, kind, person, bytes },
      }
    } catch (error) {
      return [publicError(wrap(error), logFor(log, cause))]
    }
  }

  async function askerOf({ token, refreshToken, device, userAgent, address }: LinkExtensions) {
    const viewer = token === undefined ? undefined : await options.tokens.verify(token)
    return { viewer, refreshToken, device, userAgent, address }
  }

  /**
   * Runs a query or mutation when it is its person's turn, for so long as it may take: the answer is a refusal where it
   * is not done by then. Its place among its person's operations is free once its last resolver has ended.
   */
  function run(args: RunArgs): ExecutionResult | Promise<ExecutionResult> {
    const { kind, person, bytes, cancellation } = args.operation
    if (kind === "subscription") throw new Error("A subscription is not run but opened.")
    const entered = lanes.enter(person, kind, bytes, cancellation)
    let executed: ReturnType<typeof execute>
    try {
      executed = entered ? entered.then(() => begin(args)) : begin(args)
    } catch (error) {
      lanes.leave(person, kind)
      throw error
    }
    if (!(executed instanceof Promise)) {
      lanes.leave(person, kind)
      return finish(args, executed)
    }
    return new Promise((resolve, reject) => {
      let isOver = false
      const giveUp = () => {
        isOver = true
        resolve(finish(args, {}))
      }
      const end = () => {
        lanes.leave(person, kind)
        deadlines.end(cancellation)
        cancellation.unlisten(giveUp)
      }
      cancellation.listen(giveUp)
      deadlines.begin(cancellation)
      executed.then(
        (result) => {
          end()
          if (!isOver) resolve(finish(args, result))
        },
        (error) => {
          end()
          reject(error)
        },
      )
    })
  }

  function begin(args: RunArgs) {
    args.operation.work.begin()
    return execute(args)
  }

  function finish({ operation }: RunArgs, whole: ExecutionResult): ExecutionResult {
    const { call, work, cancellation } = operation
    work.done()
    const { reason } = cancellation
    if (reason === notWaitedFor) {
      spans?.end(call, {})
      return {}
    }
    // Thousands of fields may have failed for this one reason: the answer names it once.
    const result = reason
      ? { errors: [wrap(reason)] }
      : work.failure
        ? { data: null, errors: [wrap(work.failure)] }
        : whole
    const shown = result.errors ? publicResult(result, logFor(log, call.cause)) : result
    spans?.end(call, shown)
    return shown
  }

  return { prepare, run }
}

/** Whose turns the operation takes: the viewer's, or their address's; undefined for a gateway's shared work. */
const personOf = ({ viewer, address }: Pick<Call, "viewer" | "address">): string | undefined =>
  viewer?.user ?? (address || undefined)

export const wrap = (error: unknown): GraphQLError =>
  error instanceof GraphQLError
    ? error
    : new GraphQLError(error instanceof Error ? error.message : String(error), {
        originalError: error instanceof Error ? error : new Error(String(error)),
      })
