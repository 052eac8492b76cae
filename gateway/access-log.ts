import type { ErrorCode } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { Operation } from "./operations/operation.ts"
import { nameOf } from "./operations/operation-name.ts"

/** One request at the door, or one operation on a socket, and what came of it. */
export interface Access {
  requestId: string | undefined
  address: string
  user: string | undefined
  /** Undefined where the request did not get as far as an operation. */
  operation: Operation | undefined
  code: ErrorCode | "OK"
  ms: number
}

export interface AccessLog {
  answered(access: Access): void
}

/** Which requests get a line: all, those that were refused or limited, or none. */
export type AccessLogSetting = "all" | "refused" | "off"

/** What says something about who asks, and not about the mistakes of a compiled subscription. */
const TELLING = new Set<string>(["UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED", "TOO_LARGE"])

/**
 * Writes one line for each request, at level info: who asked from where, for what, and the outcome. A line names the
 * operation's root field and never its text or its variables, which are people's own.
 */
export function createAccessLog(setting: AccessLogSetting, log: Logger): AccessLog | undefined {
  if (setting === "off") return undefined
  return {
    answered({ requestId, address, user, operation, code, ms }) {
      if (setting === "refused" && !TELLING.has(code)) return
      const name = operation && nameOf(operation)
      log.info("request", { requestId, address, user, operation: name, code, ms: Math.round(ms) })
    },
  }
}
