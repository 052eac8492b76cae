import { type ExecutionResult, GraphQLError } from "graphql"
import { ERROR_CODES, isErrorCode, ParleyError } from "./errors.ts"
import type { Logger } from "./log.ts"

/**
 * Turns whatever a resolver threw into an error that may leave the process: a ParleyError keeps its
 * code and message, an error of the GraphQL language gets GraphQL's code, and anything else is
 * logged and masked as INTERNAL, so that no stack trace and no driver message gets out.
 */
export function publicError(error: GraphQLError, log: Logger): GraphQLError {
  const { originalError: cause, nodes, source, positions, path, extensions } = error
  const as = (message: string, extensions: Record<string, unknown>) =>
    new GraphQLError(message, { nodes, source, positions, path, extensions })

  if (cause instanceof ParleyError) {
    if (cause.code === "UNAVAILABLE") log.warn("unavailable", { path, error: cause })
    return as(cause.message, cause.extensions)
  }
  if (isErrorCode(extensions.code)) {
    return as(error.message, {
      ...extensions,
      retryable: ERROR_CODES[extensions.code].retryable,
    })
  }
  // A GraphQLError without a cause, or whose cause is one, is about the request itself: a variable or
  // a literal that does not fit its type.
  if (cause === undefined || cause instanceof GraphQLError) {
    return path === undefined
      ? as(error.message, { code: "BAD_INPUT", retryable: false, field: inputField(error.message) })
      : internal(error, log, as)
  }
  return internal(error, log, as)
}

/** The same for every error of an execution result. */
export function publicResult<R extends ExecutionResult>(result: R, log: Logger): R {
  if (!result.errors) return result
  return { ...result, errors: result.errors.map((error) => publicError(error, log)) }
}

const internal = (
  error: GraphQLError,
  log: Logger,
  as: (message: string, extensions: Record<string, unknown>) => GraphQLError,
) => {
  log.error("internal error", { path: error.path, error: error.originalError ?? error })
  return as("Something went wrong on our side.", { code: "INTERNAL", retryable: false })
}

/** graphql-js names the variable at fault in its message: `Variable "$input" got invalid value … at "input.id"`. */
const inputField = (message: string) =>
  / at "([\w.[\]]+)"/.exec(message)?.[1] ?? /"\$(\w+)"/.exec(message)?.[1] ?? "variables"
