import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from "jose"
import * as v from "valibot"
import type { Clock } from "./clock.ts"
import { unauthenticated, unavailable } from "./errors.ts"
import { failover } from "./failover.ts"
import { LruMap } from "./lru.ts"

/** The user and the login session that a valid access token names. */
export interface Viewer {
  /** The user's id (`sub`). */
  user: string
  /** The login session's id (`sid`); it outlives any one token. */
  session: string
  /** When the token stops being valid, in ms since the epoch. */
  expiresAt: number
}

export const ACCESS_TOKEN = {
  algorithm: "EdDSA",
  audience: "parley",
  /** 10 minutes, in seconds. */
  lifetime: 600,
} as const

const Claims = v.object({
  sub: v.pipe(v.string(), v.nonEmpty()),
  sid: v.pipe(v.string(), v.nonEmpty()),
  exp: v.number(),
})

/** Longer than any token that auth signs; a longer one is refused unread. */
export const MAX_TOKEN_LENGTH = 2_048

export interface TokenVerifier {
  /**
   * Checks an access token (RFC 7519) with the public key alone. The answer comes without a promise when this very
   * token was checked before, which is the normal case on a busy socket.
   * @throws ParleyError UNAUTHENTICATED where the token is not valid now; UNAVAILABLE where the keys cannot be had.
   */
  verify(token: string): Viewer | Promise<Viewer>
}

export interface TokenVerifierOptions {
  keys: JWTVerifyGetKey
  /** `iss` of every token: the PUBLIC_URL of the installation. */
  issuer: string
  clock: Clock
  /** How many checked tokens are remembered. */
  cacheSize?: number
}

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { keys, issuer, clock } = options
  const checked = new LruMap<string, Viewer>(options.cacheSize ?? 20_000)

  async function check(token: string): Promise<Viewer> {
    if (token.length > MAX_TOKEN_LENGTH) throw unauthenticated("That is not a valid access token.")
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: [ACCESS_TOKEN.algorithm],
        audience: ACCESS_TOKEN.audience,
        issuer,
        currentDate: new Date(clock.now()),
        requiredClaims: ["sub", "sid", "exp"],
      })
      const claims = v.parse(Claims, payload)
      const viewer = { user: claims.sub, session: claims.sid, expiresAt: claims.exp * 1000 }
      checked.set(token, viewer)
      return viewer
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw unauthenticated("The access token has expired.")
      if (isAboutToken(error)) throw unauthenticated("That is not a valid access token.")
      throw unavailable("The signing keys cannot be read just now.", error)
    }
  }

  return {
    verify(token) {
      const known = checked.get(token)
      if (!known) return check(token)
      if (known.expiresAt > clock.now()) return known
      checked.delete(token)
      throw unauthenticated("The access token has expired.")
    },
  }
}

/** Within this the keys are there or are not, in ms, however many processes of auth there are to ask. */
const KEYS_WITHIN = 3_000

/**
 * The keys that auth publishes, fetched when needed and again when a token names one that is not among them: from any
 * of its processes, the next one where one does not answer.
 */
export function remoteKeys(authUrls: readonly string[]): JWTVerifyGetKey {
  const ask = failover(authUrls, KEYS_WITHIN)
  return createRemoteJWKSet(new URL(KEYS_PATH, authUrls[0]), {
    timeoutDuration: KEYS_WITHIN,
    cooldownDuration: 1_000,
    [customFetch]: (_, request) =>
      ask(async (auth, signal) => {
        const response = await fetch(new URL(KEYS_PATH, auth), { ...request, signal })
        if (!response.ok) throw new Error(`auth answered ${response.status}`)
        return new Response(await response.text())
      }),
  })
}

const KEYS_PATH = "/.well-known/jwks.json"

const isAboutToken = (error: unknown) =>
  error instanceof v.ValiError ||
  (error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== "ERR_JOSE_GENERIC")
