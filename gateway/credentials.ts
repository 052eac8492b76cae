import { MAX_TOKEN_LENGTH } from "@parley/platform/tokens.ts"
import { MAX_DEVICE_COOKIE_LENGTH, MAX_USER_AGENT_LENGTH } from "./limits.ts"

/** The tokens that a request or a handshake brings, not yet checked. */
export interface Credentials {
  /** From `authorization: Bearer`, which wins, or from the cookie. */
  token: string | undefined
  /** A browser sends its cookie whether it is wanted or not; a bearer token is meant. */
  isCookie: boolean
  refreshToken: string | undefined
  /** The device cookie, which only auth can read: here it tells one browser from another. */
  device: string | undefined
}

/** The names of the cookies: under https with the prefix that ties them to this very host (RFC 6265bis §4.1.3.2). */
export const cookieNames = (publicUrl: string) => {
  const prefix = publicUrl.startsWith("https:") ? "__Host-" : ""
  return {
    access: `${prefix}parley_access`,
    refresh: `${prefix}parley_refresh`,
    device: `${prefix}parley_device`,
  }
}
export type CookieNames = ReturnType<typeof cookieNames>

export function readCredentials(headers: Headers, names: CookieNames): Credentials {
  const bearer = bearerToken(headers.get("authorization"))
  const cookies = headers.get("cookie")
  const device = readCookie(cookies, names.device)
  return {
    token: bearer ?? readCookie(cookies, names.access),
    isCookie: bearer === undefined,
    refreshToken: readCookie(cookies, names.refresh),
    device: device && device.length <= MAX_DEVICE_COOKIE_LENGTH ? device : undefined,
  }
}

/**
 * The token of `Bearer <token>` (RFC 6750 §2.1). An authorization of another kind, or one that is longer than any of
 * auth's, gives an empty token, valid nowhere.
 */
export function bearerToken(authorization: unknown): string | undefined {
  if (typeof authorization !== "string" || authorization === "") return undefined
  if (authorization.length > BEARER.length + MAX_TOKEN_LENGTH) return ""
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ""
}
const BEARER = "Bearer "

/** What the client calls itself, as far as browsers go. */
export function readUserAgent(headers: Headers): string {
  const name = headers.get("user-agent") ?? ""
  return name.length > MAX_USER_AGENT_LENGTH ? copyOf(name.slice(0, MAX_USER_AGENT_LENGTH)) : name
}

/** A copy of a part of a text, for what is kept: the part itself keeps all of the text in memory. */
export const copyOf = (part: string): string => Buffer.from(part).toString()

function readCookie(cookies: string | null, name: string): string | undefined {
  if (!cookies) return undefined
  for (const pair of cookies.split(";")) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined
  }
  return undefined
}

/** The access token among cookies that auth sets; undefined where there is none or it is being taken away. */
export function accessTokenSet(setCookies: readonly string[], names: CookieNames) {
  const start = `${names.access}=`
  const cookie = setCookies.find((cookie) => cookie.startsWith(start))
  return cookie?.slice(start.length, cookie.indexOf(";")) || undefined
}
