/** How an operation ended: answered, refused with a code, or unknown. */
export type Outcome<Data> =
  | { data: Data }
  | { code: string; retryable: boolean; retryAfterMs?: number }
  | { lost: string }

/** After so many ms an operation without an answer is given up; what became of it is not known then. */
export const GIVE_UP_AFTER = 8_000

/** Reads the body of an answer, as both transports carry it. */
export function readAnswer<Data>(body: unknown): Outcome<Data> {
  const { data, errors } = (body ?? {}) as {
    data?: Data | null
    errors?: {
      extensions?: { code?: string; retryable?: boolean; retryAfterMs?: number }
      message?: string
    }[]
  }
  const error = errors?.[0]
  if (error) {
    const { code, retryable = false, retryAfterMs } = error.extensions ?? {}
    if (!code) return { lost: `an error without a code: ${error.message}` }
    return { code, retryable, retryAfterMs }
  }
  return data ? { data } : { lost: "an answer without data" }
}
