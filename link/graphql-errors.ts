import { ERROR_CODES, type ErrorCode, isErrorCode, ParleyError } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { type ExecutionResult, GraphQLError } from "graphql"

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
  // A GraphQLError without a cause, or whose cause is one, is about the request itself: a variable that does not fit its
  // type, or an argument (this has a path) that only its variable's value makes unfit.
  const isAboutRequest = cause === undefined || cause instanceof GraphQLError
  if (isAboutRequest && (path === undefined || error.message.startsWith('Argument "'))) {
    return as(error.message, {
      code: "BAD_INPUT",
      retryable: false,
      field: inputField(error.message),
    })
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

/**
 * The field at fault, as graphql-js names it in its message: `Variable "$input" got invalid value … at "input.id"; …`,
 * `Variable "$input" got invalid value …; Field "id" of required type …`, `Argument "first" of …`.
 */
function inputField(message: string): string {
  const place = / at "([\w.[\]]+)"; /.exec(message)?.[1]
  const missing = /; Field "(\w+)" (?:of required type|is not defined)/.exec(message)?.[1]
  if (place && missing) return `${place}.${missing}`
  const named = /^Argument "(\w+)"/.exec(message)?.[1] ?? /"\$(\w+)"/.exec(message)?.[1]
  return place ?? missing ?? named ?? "variables"
}

/** What graphql-js says of a document, where it says it, with a code of ours. */
export const withCode = (error: GraphQLError, code: ErrorCode): GraphQLError =>
  new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    extensions: { code, retryable: ERROR_CODES[code].retryable },
  })
