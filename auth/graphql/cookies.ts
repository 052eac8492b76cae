import type { Call } from "@parley/link/subgraph.ts"
import { ACCESS_TOKEN } from "@parley/platform/tokens.ts"
import type { AuthConfig } from "../config.ts"
import { REFRESH_LIFETIME, type SignedIn } from "../domain/sessions.ts"

type Site = Pick<AuthConfig, "publicUrl">

/** Hands both tokens to the browser, out of reach of its scripts. */
export function setCookies(call: Call, site: Site, signedIn: SignedIn): void {
  call.setCookies.push(
    cookie(site, "parley_access", signedIn.accessToken, ACCESS_TOKEN.lifetime),
    cookie(site, "parley_refresh", signedIn.refreshToken, REFRESH_LIFETIME),
  )
}

/** A year: the device is to be known again when its next sign-in comes. */
const DEVICE_LIFETIME = 365 * 24 * 60 * 60

/** Has the browser keep its device cookie, which outlives its sessions. */
export function setDeviceCookie(call: Call, site: Site, device: string): void {
  call.setCookies.push(cookie(site, "parley_device", device, DEVICE_LIFETIME))
}

/** Takes both away again; the device stays known. */
export function clearCookies(call: Call, site: Site): void {
  call.setCookies.push(cookie(site, "parley_access", "", 0), cookie(site, "parley_refresh", "", 0))
}

/** Set-Cookie (RFC 6265bis): under https with the prefix that ties the cookie to this very host (§4.1.3.2). */
function cookie(site: Site, name: string, value: string, maxAge: number): string {
  const secure = site.publicUrl.startsWith("https:")
  const attributes = `Max-Age=${maxAge}; Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`
  return `${secure ? "__Host-" : ""}${name}=${value}; ${attributes}`
}
