import { answerTooLarge } from "@parley/link/work.ts"
import { isLongerThan } from "@parley/platform/bytes.ts"
import { ERROR_CODES, type ErrorCode, isErrorCode, ParleyError } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { WireError } from "../upstream/ask.ts"

/** What an operation came to, ready to be sent. */
export interface Answer {
  /** The GraphQL response as JSON: `data`, or `errors`, or both. */
  json: string
  /** The code of the first error where there is no `data` at all: the request as such was refused. */
  refused: ErrorCode | undefined
  /** The code of the first error; `OK` where there is none. */
  code: ErrorCode | "OK"
  /** Whether any part of it may succeed later with no change by the client. */
  retryable: boolean
  /** `Set-Cookie` values; they leave over HTTP only. */
  setCookies: readonly string[]
}

export interface ExecutionOutcome {
  data?: unknown
  errors?: readonly unknown[]
  extensions?: { valueCompletion?: readonly unknown[] }
}

const NO_COOKIES: readonly string[] = []

/** Writes an answer; every error in it leaves with a code of the closed list. */
export function answer(
  outcome: ExecutionOutcome,
  log: Logger,
  setCookies: readonly string[] = NO_COOKIES,
): Answer {
  // A null where the schema promises a value comes without an error of its own: what the client asked for is
  // missing, and it has to hear of it.
  const given = outcome.errors?.length ? outcome.errors : outcome.extensions?.valueCompletion
  const errors = given?.length ? given.map((error) => publicWireError(error, log)) : undefined
  const code = errors ? (errors[0]?.extensions?.code ?? "INTERNAL") : "OK"
  const retryable = errors?.some(({ extensions }) => extensions?.retryable) ?? false
  if (outcome.data === undefined) {
    return {
      json: JSON.stringify({ errors }),
      refused: code === "OK" ? "INTERNAL" : code,
      code,
      retryable,
      setCookies,
    }
  }
  const json = errors
    ? JSON.stringify({ errors, data: outcome.data })
    : JSON.stringify({ data: outcome.data })
  return { json, refused: undefined, code, retryable, setCookies }
}

/** The same answer, or TOO_LARGE where it has more bytes than one may have. What it changed, it has changed. */
export function bounded(answer: Answer, bytes: number): Answer {
  if (!isLongerThan(answer.json, bytes)) return answer
  const { message, extensions } = answerTooLarge(bytes)
  const json = JSON.stringify({ errors: [{ message, extensions }] })
  return { ...answer, json, refused: "TOO_LARGE", code: "TOO_LARGE", retryable: false }
}

/** The answer to a request that is refused as a whole. */
export const refusal = (error: unknown, log: Logger): Answer => answer({ errors: [error] }, log)

/** Passes on code, message, path and details of an error with a code of the closed list, and masks all others. */
export function publicWireError(error: unknown, log: Logger): WireError {
  if (error instanceof ParleyError) {
    return { message: error.message, extensions: error.extensions as WireError["extensions"] }
  }
  const { message, path, locations, extensions } = error as WireError
  const place = { ...(locations?.length ? { locations } : {}), ...(path?.length ? { path } : {}) }
  const code: unknown = extensions?.code
  if (isErrorCode(code)) {
    const { serviceName: _, ...details } = extensions ?? {}
    return {
      message,
      ...place,
      extensions: { ...details, code, retryable: ERROR_CODES[code].retryable },
    }
  }
  // What executeQueryPlan wraps keeps its origin: a link that is down is no fault of ours to hide.
  const origin = (error as { originalError?: unknown }).originalError
  if (origin instanceof ParleyError) {
    return {
      message: origin.message,
      ...place,
      extensions: origin.extensions as WireError["extensions"],
    }
  }
  log.error("internal error", { error: error instanceof Error ? error : { message, path } })
  return {
    message: "Something went wrong on our side.",
    ...place,
    extensions: { code: "INTERNAL", retryable: false },
  }
}
