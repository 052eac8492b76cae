import type { CombinedError } from "@urql/core"

/** What a failed operation means to whoever started it. */
export type Failure =
  /** The very same may succeed later: nothing was reached, or the server asks to come again. */
  | { is: "later"; afterMs?: number }
  /** Refused for good, with a sentence that can be shown; `field` names the input at fault, where one is. */
  | { is: "refused"; code: string; message: string; field?: string }

/** The first coded error of the closed list in docs/protocol.md; undefined where the failure never got that far. */
export const codeOf = (error: CombinedError): string | undefined =>
  error.graphQLErrors.map(({ extensions }) => extensions.code).find(isString)

export function failureOf(error: CombinedError): Failure {
  const refusal = error.graphQLErrors[0]
  const status = (error.response as Response | undefined)?.status ?? 200
  if (!refusal) {
    const refused = status >= 400 && status < 500 && status !== 408 && status !== 429
    return refused
      ? { is: "refused", code: "BAD_INPUT", message: "The server did not accept that." }
      : { is: "later" }
  }
  const { code, retryable, retryAfterMs, field } = refusal.extensions
  // Without a session nothing can be said about the request itself; it keeps until there is one.
  if (retryable === true || code === "UNAUTHENTICATED" || status >= 500 || status === 429) {
    return { is: "later", afterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined }
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
  return failure.afterMs && failure.afterMs > 2_000
    ? `That was too often. Try again in ${inWords(failure.afterMs)}.`
    : "The server cannot be reached just now. Try again in a moment."
}

const inWords = (ms: number) =>
  ms > 90_000 ? `${Math.ceil(ms / 60_000)} minutes` : `${Math.ceil(ms / 1000)} seconds`

const isString = (value: unknown): value is string => typeof value === "string"
