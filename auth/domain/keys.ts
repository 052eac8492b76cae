import type { Clock } from "@parley/service/clock.ts"
import { ACCESS_TOKEN } from "@parley/service/tokens.ts"
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
} from "jose"

/** A key signs for this long; then the next one takes over. */
export const KEY_PERIOD_MS = 30 * 24 * 60 * 60 * 1000

export interface StoredKey {
  kid: string
  /** From when on it signs, in ms since the epoch. */
  activeFrom: number
  privateKey: { kty: "OKP"; crv: "Ed25519"; x: string; d: string }
}

export interface StoredKeys {
  /** What refresh tokens are derived from: 32 random bytes, base64url. */
  refreshSecret: string
  /** In the order in which they sign. */
  keys: StoredKey[]
}

/** Where the secret keys are kept between two runs. */
export interface KeyStorage {
  load(): Promise<StoredKeys | undefined>
  save(keys: StoredKeys): Promise<void>
}

export interface SigningKey {
  kid: string
  key: CryptoKey
}

/**
 * The keys that sign access tokens. Three are published: the previous one, whose last tokens may still be valid, the
 * present one, and the next one, so that a verifier that caches the set knows it long before it signs.
 */
export interface Keys {
  readonly refreshSecret: string
  /** The key that signs now. */
  signing(): Promise<SigningKey>
  /** The JWK Set (RFC 7517) for everyone. */
  published(): Promise<JSONWebKeySet>
  /** The same, in the form in which `jose` verifies. */
  readonly verifying: JWTVerifyGetKey
}

interface Ring {
  stored: StoredKeys
  signing: SigningKey
  published: JSONWebKeySet
  verifying: JWTVerifyGetKey
  /** When the ring must be turned, in ms since the epoch. */
  until: number
}

/** Loads the keys, or makes the first ones. Rotation happens when a key is next asked for after its time. */
export async function createKeys(storage: KeyStorage, clock: Clock): Promise<Keys> {
  const stored = (await storage.load()) ?? { refreshSecret: randomSecret(), keys: [] }
  let ring = await turn(stored)
  let turning: Promise<Ring> | undefined

  async function turn(stored: StoredKeys): Promise<Ring> {
    const keys = await keysAt(stored.keys, clock.now())
    const next = { ...stored, keys }
    // Saved before it is used or published: a key that is lost in a crash would orphan its tokens.
    if (keys.some((key) => !stored.keys.includes(key))) await storage.save(next)
    return ringOf(next, clock.now())
  }

  async function present(): Promise<Ring> {
    if (clock.now() < ring.until) return ring
    turning ??= turn(ring.stored).finally(() => {
      turning = undefined
    })
    ring = await turning
    return ring
  }

  return {
    refreshSecret: stored.refreshSecret,
    signing: async () => (await present()).signing,
    published: async () => (await present()).published,
    verifying: async (header, token) => (await present()).verifying(header, token),
  }
}

/** Previous, present and next key at that time; makes those that are missing. */
async function keysAt(known: StoredKey[], now: number): Promise<StoredKey[]> {
  const keys = [...known]
  let present = presentKey(keys, now)
  const last = keys.at(-1)
  if (!present || (present === last && now >= present.activeFrom + KEY_PERIOD_MS)) {
    present = await makeKey(now)
    keys.push(present)
  }
  const index = keys.indexOf(present)
  if (index === keys.length - 1) keys.push(await makeKey(present.activeFrom + KEY_PERIOD_MS))
  return keys.slice(Math.max(0, index - 1), index + 2)
}

// A clock that was set back before the first key's time must not stop anybody from signing in.
const presentKey = (keys: StoredKey[], now: number) =>
  keys.findLast((key) => key.activeFrom <= now) ?? keys[0]

async function makeKey(activeFrom: number): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair(ACCESS_TOKEN.algorithm, {
    crv: "Ed25519",
    extractable: true,
  })
  const { x, d } = (await exportJWK(privateKey)) as { x: string; d: string }
  const jwk = { kty: "OKP", crv: "Ed25519", x, d } as const
  return { kid: await calculateJwkThumbprint(jwk), activeFrom, privateKey: jwk }
}

async function ringOf(stored: StoredKeys, now: number): Promise<Ring> {
  const present = presentKey(stored.keys, now) as StoredKey
  const next = stored.keys.find((key) => key.activeFrom > present.activeFrom)
  const published = { keys: stored.keys.map(publicJwk) }
  return {
    stored,
    published,
    verifying: createLocalJWKSet(published),
    signing: {
      kid: present.kid,
      key: (await importJWK(present.privateKey, ACCESS_TOKEN.algorithm)) as CryptoKey,
    },
    until: next?.activeFrom ?? 0,
  }
}

const publicJwk = ({ kid, privateKey: { kty, crv, x } }: StoredKey): JWK => ({
  kty,
  crv,
  x,
  kid,
  use: "sig",
  alg: ACCESS_TOKEN.algorithm,
})

const randomSecret = () =>
  crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true })
