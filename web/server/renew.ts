import type { NextRequest } from "next/server"
import type { WebConfig } from "../config.ts"
import { webConfig } from "./web-config.ts"

const TIMEOUT_MS = 5_000
/** A token that has no longer than this to live, in ms, may be too old by the time the page asks with it. */
const TOO_CLOSE_MS = 10_000

/** What a renewal changes: the request's cookies for the page behind, and the browser's. */
export interface Renewed {
  cookie: string
  setCookies: string[]
}

/**
 * Renews the session where the access cookie is gone or about to be and the refresh cookie is there. Undefined where there is nothing
 * to renew or the renewal fails: the page then finds no login, or the browser tries again.
 */
export async function renewedCookies(
  request: NextRequest,
  { publicUrl, gatewayUrl }: Pick<WebConfig, "publicUrl" | "gatewayUrl"> = webConfig(),
): Promise<Renewed | undefined> {
  const prefix = publicUrl.protocol === "https:" ? "__Host-" : ""
  const isDocument = request.method === "GET" || request.method === "HEAD"
  const access = request.cookies.get(`${prefix}parley_access`)?.value
  if (!isDocument || (access && !runsOut(access))) return undefined
  if (!request.cookies.has(`${prefix}parley_refresh`)) return undefined
  try {
    const response = await fetch(new URL("/graphql", gatewayUrl), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json, application/json",
        cookie: request.headers.get("cookie") ?? "",
        "user-agent": request.headers.get("user-agent") ?? "",
        "x-forwarded-for": request.headers.get("x-forwarded-for") ?? "",
        "x-parley-address": request.headers.get("x-parley-address") ?? "",
      },
      body: '{"query":"mutation RefreshSession { refreshSession { id } }"}',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const setCookies = response.headers.getSetCookie()
    if (!setCookies.length) return undefined
    return { cookie: withCookies(request, setCookies), setCookies }
  } catch {
    return undefined
  }
}

/** Reads when a token ends, without checking anything: whether it is good is the gateway's to say. */
function runsOut(token: string): boolean {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
    return claims.exp * 1000 < Date.now() + TOO_CLOSE_MS
  } catch {
    return false
  }
}

/** The `Cookie` header as the browser will send it once it has these. */
function withCookies(request: NextRequest, setCookies: readonly string[]): string {
  const given = request.headers.get("cookie")?.split(/; */) ?? []
  const jar = new Map(
    given.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  )
  for (const cookie of setCookies) {
    const [, name, value] = /^([^=;]+)=([^;]*)/.exec(cookie) ?? []
    if (!name) continue
    if (value) jar.set(name, value)
    else jar.delete(name)
  }
  return [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
}
