import { timingSafeEqual } from "node:crypto"

export interface RefreshClaim {
  session: string
  generation: number
}

/**
 * Refresh tokens are derived, not stored: the token of a session's n-th generation is always the same, so a client
 * that asks again because an answer was lost gets the same successor, while the store holds no more than a hash.
 */
export interface RefreshTokens {
  issue(session: string, generation: number): Promise<string>
  /** What a token of ours says; undefined for everything else. */
  read(token: string): Promise<RefreshClaim | undefined>
  /** sha256, hexadecimal: what the store keeps. */
  hash(token: string): string
}

/** One spelling per number: no leading zeros. */
const FORM = /^([\w-]{1,64})\.([1-9]\d{0,8})\.([\w-]{43})$/

/** @param secret known to this service alone; without it no token can be made or changed. */
export function createRefreshTokens(secret: () => Promise<string>): RefreshTokens {
  const seal = async (session: string, generation: number) =>
    new Bun.CryptoHasher("sha256", await secret())
      .update(`parley refresh ${session}.${generation}`)
      .digest("base64url")

  return {
    issue: async (session, generation) =>
      `${session}.${generation}.${await seal(session, generation)}`,
    async read(token) {
      const [, session = "", digits = "", given = ""] = FORM.exec(token) ?? []
      const expected = await seal(session, Number(digits))
      const equal =
        given.length === expected.length &&
        timingSafeEqual(Buffer.from(given), Buffer.from(expected))
      return equal ? { session, generation: Number(digits) } : undefined
    },
    hash: (token) => new Bun.CryptoHasher("sha256").update(token).digest("hex"),
  }
}
