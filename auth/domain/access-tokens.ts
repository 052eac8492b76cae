import type { Clock } from "@parley/platform/clock.ts"
import { ACCESS_TOKEN } from "@parley/platform/tokens.ts"
import { SignJWT } from "jose"
import type { Keys } from "./keys.ts"

export interface AccessTokens {
  /** Signs an access token (JWT, RFC 7519) that is valid for 10 minutes. */
  issue(user: string, session: string): Promise<string>
}

export const createAccessTokens = (keys: Keys, issuer: string, clock: Clock): AccessTokens => ({
  async issue(user, session) {
    const { kid, key } = await keys.signing()
    const now = Math.floor(clock.now() / 1000)
    return new SignJWT({ sid: session })
      .setProtectedHeader({ alg: ACCESS_TOKEN.algorithm, kid, typ: "JWT" })
      .setSubject(user)
      .setIssuer(issuer)
      .setAudience(ACCESS_TOKEN.audience)
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_TOKEN.lifetime)
      .sign(key)
  },
})
