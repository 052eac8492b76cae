/**
 * The closed list of error codes, the same over HTTP and WebSocket. docs/protocol.md documents each one.
 * `retryable` says whether the very same request may succeed later unchanged.
 */
export const ERROR_CODES = {
  UNAUTHENTICATED: { retryable: false },
  FORBIDDEN: { retryable: false },
  NOT_FOUND: { retryable: false },
  BAD_INPUT: { retryable: false },
  CONFLICT: { retryable: false },
  TOO_LARGE: { retryable: false },
  RATE_LIMITED: { retryable: true },
  UNAVAILABLE: { retryable: true },
  INTERNAL: { retryable: false },
  GRAPHQL_PARSE_FAILED: { retryable: false },
  GRAPHQL_VALIDATION_FAILED: { retryable: false },
} as const

export type ErrorCode = keyof typeof ERROR_CODES

export interface ErrorDetails {
  /** The input field at fault; always present with BAD_INPUT. */
  field?: string
  /** How long to wait before the same request can succeed, in ms; always present with RATE_LIMITED. */
  retryAfterMs?: number
  /** The users who stand in the way of a change of members, where they do. */
  users?: string[]
}

/** A refusal that the caller is meant to see. Every other error is masked as INTERNAL at the door. */
export class ParleyError extends Error {
  override readonly name = "ParleyError"

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
  }

  /** What goes out as `extensions` of a GraphQL error. */
  get extensions(): Record<string, unknown> {
    return { code: this.code, retryable: ERROR_CODES[this.code].retryable, ...this.details }
  }
}

export const unauthenticated = (message = "Sign in first.") =>
  new ParleyError("UNAUTHENTICATED", message)

export const notFound = (what: string) => new ParleyError("NOT_FOUND", `No such ${what}.`)

export const badInput = (field: string, message: string) =>
  new ParleyError("BAD_INPUT", message, { field })

export const unavailable = (message: string, cause?: unknown) =>
  new ParleyError("UNAVAILABLE", message, {}, { cause })

/** True where the same request may well succeed later, unchanged. */
export const isUnavailable = (error: unknown): error is ParleyError =>
  error instanceof ParleyError && error.code === "UNAVAILABLE"

export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === "string" && Object.hasOwn(ERROR_CODES, code)
