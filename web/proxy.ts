import { type NextRequest, NextResponse } from "next/server"
import { renewedCookies } from "./server/renew.ts"
import { contentPolicy } from "./server/security.ts"

/**
 * In front of every page: a content policy with a nonce of its own, and a session that has a fresh access token where
 * its old one has run out. Nothing is authorised here: the gateway checks every request itself.
 */
export async function proxy(request: NextRequest): Promise<NextResponse> {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
  const policy = contentPolicy(nonce)
  const headers = new Headers(request.headers)
  // Next reads the nonce for its own scripts from the request's policy.
  headers.set("content-security-policy", policy)

  const renewed = await renewedCookies(request)
  if (renewed) headers.set("cookie", renewed.cookie)

  const response = NextResponse.next({ request: { headers } })
  response.headers.set("content-security-policy", policy)
  response.headers.set("cache-control", "private, no-store")
  for (const cookie of renewed?.setCookies ?? []) response.headers.append("set-cookie", cookie)
  return response
}

export const config = {
  // Whatever renders HTML, "not found" included; the files of the build need neither policy nor session.
  matcher: "/((?!_next/static/|_next/image|icon\\.svg|favicon\\.ico).*)",
}
