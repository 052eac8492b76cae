import { cancellationOf } from "@parley/service/cancellation.ts"
import { type Cause, logFor, readCause } from "@parley/service/cause.ts"
import { badInput, type ErrorCode, ParleyError, unauthenticated } from "@parley/service/errors.ts"
import type { Logger } from "@parley/service/log.ts"
import { accessTokenSet, type CookieNames, readCredentials } from "./credentials.ts"
import { type Answer, answer, type ExecutionOutcome } from "./operations/answer.ts"
import type { Documents } from "./operations/documents.ts"
import type { Executor } from "./operations/executor.ts"
import type { Operation } from "./operations/operation.ts"
import { type Params, readParams } from "./params.ts"
import { SECURITY_HEADERS } from "./responses.ts"
import type { Sessions } from "./sessions.ts"
import type { Caller } from "./upstream/caller.ts"
import type { Watchers } from "./watchers.ts"

/** In bytes. A message has 8,000 characters at most. */
export const MAX_BODY_BYTES = 256 * 1024

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

export interface HttpOptions extends Watchers {
  documents: Documents
  executor: Executor
  sessions: Sessions
  cookies: CookieNames
  requestId(): string
  log: Logger
}

/**
 * Answers POST /graphql as GraphQL over HTTP has it. Only `application/json` is taken, which a page of another origin
 * cannot send without a preflight; there are no CORS headers, so none succeeds.
 */
export function createHttp(options: HttpOptions) {
  const { documents, executor, sessions, cookies, trail, figures } = options

  const causeOf = (request: Request): Cause => {
    const requestId = options.requestId()
    if (!trail?.traces) return { requestId }
    return readCause(requestId, request.headers.get("traceparent")) ?? { requestId }
  }

  async function callerOf(
    request: Request,
    operation: Operation,
    address: string,
    cause: Cause,
  ): Promise<Caller> {
    const { token, isCookie, refreshToken, device } = readCredentials(request.headers, cookies)
    const { allPublic, dealsInCookies } = operation.roots
    let user: string | undefined
    let valid: string | undefined
    if (token !== undefined) {
      try {
        const viewer = await sessions.viewer(token)
        sessions.noteToken(viewer, token, device)
        user = viewer.user
        valid = token
      } catch (error) {
        // Whoever wants to sign in, refresh or sign out may well have an old cookie; it must not be in the way.
        const harmless = isCookie && allPublic && dealsInCookies
        if (!harmless || !isUnauthenticated(error)) throw error
      }
    }
    if (valid === undefined && !allPublic) throw unauthenticated()
    const userAgent = request.headers.get("user-agent") ?? ""
    return { user, token: valid, refreshToken, device, userAgent, address, cause }
  }

  async function run(
    request: Request,
    params: Params,
    address: string,
    cause: Cause,
  ): Promise<Answer> {
    const checked = documents.check(params.query, params.operationName)
    if (checked.errors) return refused({ errors: checked.errors }, cause)
    const { operation } = checked
    if (operation.kind === "subscription") {
      throw badInput("query", "Subscribe over a WebSocket: graphql-transport-ws on this same path.")
    }
    const caller = await callerOf(request, operation, address, cause)
    const variables = executor.variables(operation, params.variables)
    if (variables.refusal) return refused({ errors: variables.refusal }, cause)
    // What a mutation changes it changes, whether its client waits or not.
    const cancellation = operation.kind === "query" ? cancellationOf(request.signal) : undefined
    const result = await executor.run(operation, variables.values, { ...caller, cancellation })
    if (result.setCookies.length > 0) await noteCookies(result.setCookies, caller)
    return result
  }

  /** The answer to a request that was not run. */
  function refused(outcome: ExecutionOutcome, cause: Cause): Answer {
    const refusal = answer(outcome, logFor(options.log, cause))
    figures?.refused(refusal.code)
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
    const cause = causeOf(request)
    const { requestId } = cause
    const refuse = (error: unknown, type: MediaType, status?: number) => {
      const result = refused({ errors: [error] }, cause)
      return respond(result, type, status ?? statusOf(result, type), requestId)
    }
    const type = responseType(request.headers.get("accept"))
    if (!type) return refuse(badInput("accept", ACCEPTABLE), JSON_RESPONSE, 406)
    if (!isJson(request.headers.get("content-type"))) {
      return refuse(badInput("content-type", "Send application/json."), type, 415)
    }
    let params: Params
    try {
      params = await readParams(request, MAX_BODY_BYTES)
    } catch (error) {
      const tooLarge = error instanceof ParleyError && error.code === "TOO_LARGE"
      return refuse(error, type, tooLarge ? 413 : 400)
    }
    try {
      const result = await run(request, params, address, cause)
      return respond(result, type, statusOf(result, type), requestId)
    } catch (error) {
      return refuse(error, type)
    }
  }
}

const ACCEPTABLE = `The answer is ${GRAPHQL_RESPONSE} or ${JSON_RESPONSE}.`

/** Where the client takes plain JSON only, a well-formed request is answered with 200 whatever came of it (§6.4.1). */
const statusOf = ({ refused }: Answer, type: MediaType) =>
  refused && type === GRAPHQL_RESPONSE ? STATUS[refused] : 200

function respond(
  { json, setCookies }: Answer,
  type: MediaType,
  status: number,
  requestId: string,
): Response {
  const headers = new Headers(SECURITY_HEADERS)
  headers.set("content-type", `${type}; charset=utf-8`)
  headers.set("cache-control", "no-store")
  headers.set("x-request-id", requestId)
  for (const cookie of setCookies) headers.append("set-cookie", cookie)
  return new Response(json, { status, headers })
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
