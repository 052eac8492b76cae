import type { CombinedError } from "@urql/core"

/** What a failed operation means to the part of the page that started it. */
export type Failure =
  /** The very same may succeed later: nothing was reached, or the server asks to come again. */
  | { is: "later"; afterMs?: number | undefined; limited?: boolean }
  /** Refused for good, with a sentence that can be shown; `field` names the input at fault, where one is. */
  | { is: "refused"; code: string; message: string; field?: string }

/** The first coded error of the closed list in docs/protocol.md; undefined where the failure never got that far. */
export const codeOf = (error: CombinedError): string | undefined =>
  error.graphQLErrors.map(({ extensions }) => extensions.code).find(isString)

/** True where the server says that there is no such thing for the viewer, and nothing else went wrong. */
export const isAbsent = ({ graphQLErrors, networkError }: CombinedError): boolean =>
  !networkError &&
  graphQLErrors.length > 0 &&
  graphQLErrors.every(({ extensions }) => extensions.code === "NOT_FOUND")

export function failureOf(error: CombinedError): Failure {
  const refusal = error.graphQLErrors[0]
  const status = (error.response as Response | undefined)?.status ?? 200
  if (!refusal) {
    const refused = status >= 400 && status < 500 && status !== 408 && status !== 429
    return refused
      ? { is: "refused", code: "BAD_INPUT", message: "The server did not accept that." }
      : { is: "later" }
  }
  const { code, retryable, field } = refusal.extensions
  // Without a session nothing can be said about the request itself; it keeps until there is one.
  if (retryable === true || code === "UNAUTHENTICATED" || status >= 500 || status === 429) {
    const limited = code === "RATE_LIMITED"
    // Each answer of an operation may name another time; before the last of them it would be refused again.
    const times = error.graphQLErrors.map(({ extensions }) => extensions.retryAfterMs)
    const afterMs = Math.max(0, ...times.filter((ms) => typeof ms === "number"))
    return { is: "later", afterMs: afterMs || undefined, limited }
  }
  return {
    is: "refused",
    code: isString(code) ? code : "INTERNAL",
    message: refusal.message,
    field: isString(field) ? field : undefined,
  }
}

/** A sentence for a form or a dialog. */
export function sentenceOf(error: CombinedError): string {
  const failure = failureOf(error)
  if (failure.is === "refused") return failure.message
  if (!failure.limited) return "The server cannot be reached just now. Try again in a moment."
  return `That was too often. Try again in ${inWords(failure.afterMs ?? 0)}.`
}

/** A time to wait, rounded up: `a moment`, `12 seconds`, `3 minutes`, `2 hours`. */
export function inWords(ms: number): string {
  if (ms <= 1_500) return "a moment"
  if (ms <= 90_000) return `${Math.ceil(ms / 1_000)} seconds`
  return ms <= 90 * 60_000
    ? `${Math.ceil(ms / 60_000)} minutes`
    : `${Math.ceil(ms / 3_600_000)} hours`
}

const isString = (value: unknown): value is string => typeof value === "string"
