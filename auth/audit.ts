import { isIP } from "node:net"
import { ParleyError } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { deviceName } from "./domain/device.ts"
import { TokenReused } from "./domain/sessions.ts"
import { usernameIn } from "./domain/usernames.ts"
import { AUDIT_LIMITED_PER_SECOND, AUDIT_TEXT_LENGTH } from "./limits.ts"

/** What is done with accounts and login sessions. docs/operations.md shows the lines. */
export type AuditedAction =
  | "sign-up"
  | "sign-in"
  | "refresh"
  | "sign-out"
  | "revoke"
  | "password-change"

/** Who asks, as far as it is known. */
export interface AuditedCall {
  address: string
  userAgent: string
  cause: RequestContext | undefined
}

export interface AuditFacts {
  user?: string
  session?: string
  /** As it was given. It is written only where it can be one: people type passwords into the wrong field. */
  username?: string
  /** The name of the device as it was given. */
  device?: string | null
}

/**
 * Writes one line at level info, with `audit: true`, for each sign-up, sign-in, sign-out, end of a session and change
 * of a password, for those that failed for a wrong password or that a limit refused, and for a refresh with a token that
 * was used before. A line holds neither passwords nor tokens, unless a password was typed as a username and could be one. Texts from outside are cut short and escaped.
 */
export interface Audit {
  done(action: AuditedAction, call: AuditedCall, facts: AuditFacts): void
  /** Writes a line where the error is one that an operator wants to know of. */
  failed(action: AuditedAction, call: AuditedCall, facts: AuditFacts, error: unknown): void
}

export function createAudit(log: Logger, elapsed = () => performance.now()): Audit {
  let second = 0
  let written = 0
  let omitted = 0

  function write(event: string, call: AuditedCall, { username, device, ...facts }: AuditFacts) {
    log.info(event, {
      audit: true,
      ...facts,
      ...(username !== undefined && { username: usernameIn(username) ?? "(not a username)" }),
      address: isIP(call.address) === 0 ? escaped(call.address, AUDIT_TEXT_LENGTH) : call.address,
      device: nameOf(device, call.userAgent),
      requestId: call.cause?.requestId,
    })
  }

  /** A flood of requests that a limit refuses must not become a flood of lines. */
  function mayWriteLimited(): boolean {
    const now = Math.floor(elapsed() / 1_000)
    if (now !== second) {
      second = now
      written = 0
    }
    written += 1
    if (written <= AUDIT_LIMITED_PER_SECOND) return true
    omitted += 1
    return false
  }

  return {
    done: (action, call, facts) => write(`${action} done`, call, facts),
    failed(action, call, facts, error) {
      if (error instanceof TokenReused) {
        const { user, session } = error
        write("refresh with a token used before", call, { ...facts, user, session })
      } else if (!(error instanceof ParleyError) || action === "refresh") return
      else if (error.code === "UNAUTHENTICATED" || error.details.field === "current") {
        write(`${action} failed`, call, facts)
      } else if (error.code === "RATE_LIMITED" && mayWriteLimited()) {
        if (omitted > 0) log.info("limited requests were left out", { audit: true, omitted })
        omitted = 0
        write(`${action} limited`, call, facts)
      }
    },
  }
}

function nameOf(given: string | null | undefined, userAgent: string): string {
  try {
    return escaped(deviceName(given, userAgent), AUDIT_TEXT_LENGTH)
  } catch {
    return "not a name"
  }
}

/** Printable ASCII as it is, the rest as code points: a terminal shows what a line holds and does nothing else. */
function escaped(text: string, length: number): string {
  const points = [...text.slice(0, 4 * length)]
  const shown = points
    .slice(0, length)
    .map((point) =>
      /^[\x20-\x7e]$/.test(point) ? point : `\\u{${point.codePointAt(0)!.toString(16)}}`,
    )
  return shown.join("") + (points.length > length ? "…" : "")
}
