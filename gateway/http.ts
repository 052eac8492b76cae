import { cancellationOf } from "@parley/link/cancellation.ts"
import { badInput, type ErrorCode, ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import {
  logFor,
  type RequestContext,
  readRequestContext,
} from "@parley/platform/request-context.ts"
import type { Viewer } from "@parley/platform/tokens.ts"
import type { AccessLog } from "./access-log.ts"
import { compress, type Encoding, encodingFor } from "./compression.ts"
import { accessTokenSet, type CookieNames, readCredentials, readUserAgent } from "./credentials.ts"
import { type FairUse, tooMuch } from "./limits/fair-use.ts"
import type { Observers } from "./observers.ts"
import { type Answer, answer, type ExecutionOutcome } from "./operations/answer.ts"
import type { Documents } from "./operations/documents.ts"
import type { Executor } from "./operations/executor.ts"
import type { Payer } from "./operations/new-documents.ts"
import type { Operation } from "./operations/operation.ts"
import { createBodies, type Params, parseParams } from "./params.ts"
import { SECURITY_HEADERS } from "./responses.ts"
import type { Sessions } from "./sessions.ts"
import type { Caller } from "./upstream/caller.ts"

const GRAPHQL_RESPONSE = "application/graphql-response+json"
const JSON_RESPONSE = "application/json"
type MediaType = typeof GRAPHQL_RESPONSE | typeof JSON_RESPONSE

/** The status of a request that is refused as a whole (GraphQL over HTTP §6.4.2). */
const STATUS: Record<ErrorCode, number> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BAD_INPUT: 400,
  CONFLICT: 409,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
  INTERNAL: 500,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
}

export interface HttpOptions extends Observers {
  documents: Documents
  executor: Executor
  fairUse: FairUse
  sessions: Sessions
  cookies: CookieNames
  requestId(): string
  /** Undefined where the door keeps no log of its requests. */
  access: AccessLog | undefined
  log: Logger
}

/** Who asks, so far as a token says so. It is read before the document, whose cost is the asker's. */
interface Asker {
  viewer: Viewer | undefined
  token: string | undefined
  isCookie: boolean
  refreshToken: string | undefined
  device: string | undefined
  /** Why the token is not good; whether that matters depends on what is asked for. */
  problem: unknown
}

/** What is learnt about a request while it is answered, for the access log. */
export interface Asked {
  user?: string
  operation?: Operation
}

/**
 * Answers POST /graphql as GraphQL over HTTP has it. Only `application/json` is taken, which a page of another origin
 * cannot send without a preflight; there are no CORS headers, so none succeeds.
 */
export function createHttp(options: HttpOptions) {
  const { documents, executor, fairUse, sessions, cookies, access, tracing, metrics } = options

  const bodies = createBodies()

  const requestContextOf = (request: Request): RequestContext => {
    const requestId = options.requestId()
    if (!tracing?.traces) return { requestId }
    return readRequestContext(requestId, request.headers.get("traceparent")) ?? { requestId }
  }

  async function askerOf(request: Request): Promise<Asker> {
    const { token, isCookie, refreshToken, device } = readCredentials(request.headers, cookies)
    const asker: Asker = {
      ...{ viewer: undefined, problem: undefined },
      ...{ token, isCookie, refreshToken, device },
    }
    if (token === undefined) return asker
    try {
      asker.viewer = await sessions.viewer(token)
      sessions.noteToken(asker.viewer, token, device)
    } catch (error) {
      asker.problem = error
    }
    return asker
  }

  /** @throws ParleyError UNAUTHENTICATED where the asker may not run that operation */
  function callerOf(
    request: Request,
    { viewer, token, isCookie, refreshToken, device, problem }: Asker,
    { roots }: Operation,
    address: string,
    cause: RequestContext,
  ): Caller {
    if (problem !== undefined) {
      // A client that signs in, refreshes or signs out may well have an old cookie; it must not be in the way.
      const harmless = isCookie && roots.allPublic && roots.dealsInCookies
      if (!harmless || !isUnauthenticated(problem)) throw problem
    }
    if (!viewer && !roots.allPublic) throw unauthenticated()
    const userAgent = readUserAgent(request.headers)
    const valid = viewer && token
    return { user: viewer?.user, token: valid, refreshToken, device, userAgent, address, cause }
  }

  async function run(
    request: Request,
    params: Params,
    asker: Asker,
    payer: Payer,
    cause: RequestContext,
    asked: Asked,
  ): Promise<Answer> {
    const { address } = payer
    const checked = await documents.take(params.query, params.operationName, payer)
    if (checked.errors) return refused({ errors: checked.errors }, cause)
    const { operation } = checked
    asked.operation = operation
    if (operation.kind === "subscription") {
      throw badInput("query", "Subscribe over a WebSocket: graphql-transport-ws on this same path.")
    }
    const caller = callerOf(request, asker, operation, address, cause)
    const variables = executor.variables(operation, params.variables)
    if (variables.refusal) return refused({ errors: variables.refusal }, cause)
    fairUse.count(payer, variables.items)
    await documents.plan(operation, payer)
    // What a mutation changes it changes, whether its client waits or not.
    const cancellation = operation.kind === "query" ? cancellationOf(request.signal) : undefined
    const result = await executor.run(operation, variables.values, { ...caller, cancellation })
    if (result.setCookies.length > 0) await noteCookies(result.setCookies, caller)
    return result
  }

  /** The answer to a request that was not run. */
  function refused(outcome: ExecutionOutcome, cause: RequestContext): Answer {
    const refusal = answer(outcome, logFor(options.log, cause))
    metrics?.refused(refusal.code)
    return refusal
  }

  /** The live sockets that this browser has of a refreshed session go on with the new token. */
  async function noteCookies(
    setCookies: readonly string[],
    { device, cause }: Caller,
  ): Promise<void> {
    const token = accessTokenSet(setCookies, cookies)
    if (token === undefined) return
    try {
      sessions.noteToken(await sessions.viewer(token), token, device)
    } catch (error) {
      logFor(options.log, cause).warn("auth set a token that is not valid", { error })
    }
  }

  return async (request: Request, address: string): Promise<Response> => {
    const cause = requestContextOf(request)
    const { requestId } = cause
    const asked: Asked = {}
    const beganAt = performance.now()
    const reply = (result: Answer, type: MediaType, status: number) => {
      access?.answered({
        requestId,
        address,
        user: asked.user,
        operation: asked.operation,
        code: result.code,
        ms: performance.now() - beganAt,
      })
      return respond(result, type, status, requestId, encodingFor(request, result.json))
    }
    const refuse = (error: unknown, type: MediaType, status?: number) => {
      const result = refused({ errors: [error] }, cause)
      return reply(result, type, status ?? statusOf(result, type))
    }
    const type = responseType(request.headers.get("accept"))
    if (!type) return refuse(badInput("accept", ACCEPTABLE), JSON_RESPONSE, 406)
    if (!isJson(request.headers.get("content-type"))) {
      return refuse(badInput("content-type", "Send application/json."), type, 415)
    }
    let params: Params
    let asker: Asker
    let payer: Payer
    try {
      const body = await bodies.read(request, address)
      asker = await askerOf(request)
      payer = { user: asker.viewer?.user, address }
      asked.user = payer.user
      if (!fairUse.admits(payer, body.length)) throw tooMuch()
      params = parseParams(body)
    } catch (error) {
      // A body that is none has no GraphQL answer yet: its status says what is wrong whatever type is taken.
      return refuse(error, type, error instanceof ParleyError ? STATUS[error.code] : 400)
    }
    try {
      const result = await run(request, params, asker, payer, cause, asked)
      return await reply(result, type, statusOf(result, type))
    } catch (error) {
      return refuse(error, type)
    }
  }
}

const ACCEPTABLE = `The answer is ${GRAPHQL_RESPONSE} or ${JSON_RESPONSE}.`

/** Where the client takes plain JSON only, a well-formed request is answered with 200 whatever came of it (§6.4.1). */
const statusOf = ({ refused }: Answer, type: MediaType) =>
  refused && type === GRAPHQL_RESPONSE ? STATUS[refused] : 200

async function respond(
  { json, setCookies }: Answer,
  type: MediaType,
  status: number,
  requestId: string,
  encoding: Encoding | undefined,
): Promise<Response> {
  const headers = new Headers(SECURITY_HEADERS)
  headers.set("content-type", `${type}; charset=utf-8`)
  headers.set("cache-control", "no-store")
  headers.set("vary", "accept-encoding")
  headers.set("x-request-id", requestId)
  for (const cookie of setCookies) headers.append("set-cookie", cookie)
  if (!encoding) return new Response(json, { status, headers })
  headers.set("content-encoding", encoding)
  return new Response(await compress(json, encoding), { status, headers })
}

function responseType(accept: string | null): MediaType | undefined {
  if (accept === null || accept === "") return JSON_RESPONSE
  if (accept.includes(GRAPHQL_RESPONSE)) return GRAPHQL_RESPONSE
  return /application\/json|application\/\*|\*\/\*/.test(accept) ? JSON_RESPONSE : undefined
}

const isJson = (contentType: string | null) =>
  /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType ?? "")

const isUnauthenticated = (error: unknown) =>
  error instanceof ParleyError && error.code === "UNAUTHENTICATED"
