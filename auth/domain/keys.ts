import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import { ACCESS_TOKEN } from "@parley/platform/tokens.ts"
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
} from "jose"
import type { KeyStorage, StoredKey, StoredKeys } from "../store/store.ts"

/** A key signs for this long; then the next one takes over. */
export const KEY_PERIOD_MS = 30 * 24 * 60 * 60 * 1000
/** So often a process looks what other processes, or an operator, have made of the keys. */
const LOOK_EVERY_MS = 60_000
/** The same for a key that is not known here; a client that makes up names of keys does not keep the store busy. */
const LOOK_FOR_UNKNOWN_EVERY_MS = 1_000

export interface SigningKey {
  kid: string
  key: CryptoKey
}

/**
 * The keys that sign access tokens. Three are published: the previous one, whose last tokens may still be valid, the
 * present one, and the next one, so that a verifier that caches the set knows it long before it signs. All processes on
 * one storage have the same ones. Each method throws ParleyError UNAVAILABLE as long as they have never been read.
 */
export interface Keys {
  /**
   * Resolves once they are there.
   * @throws whatever keeps them away.
   */
  load(): Promise<void>
  /** What refresh tokens are derived from. */
  refreshSecret(): Promise<string>
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
  /** When it was made, and when it must be turned, in ms since the epoch. */
  since: number
  until: number
}

/**
 * Keys that are read, or made, when they are first asked for, and turn when one is asked for after its time. Of several
 * processes that make or turn them at once, one saves, and the others take what it has saved. What is known stays in
 * use while the storage is away.
 */
export function createKeys(storage: KeyStorage, clock: Clock): Keys {
  let ring: Ring | undefined
  let reading: Promise<Ring> | undefined

  async function read(): Promise<Ring> {
    for (;;) {
      const stored = (await storage.load()) ?? {
        version: 0,
        refreshSecret: randomSecret(),
        keys: [],
      }
      const now = clock.now()
      const keys = await keysAt(stored.keys, now)
      if (keys.every((key) => stored.keys.includes(key))) return ringOf({ ...stored, keys }, now)
      const next = { ...stored, version: stored.version + 1, keys }
      // Saved before it is used or published: a key that is lost in a crash would orphan its tokens.
      if (await storage.save(next)) return ringOf(next, now)
    }
  }

  async function look(): Promise<Ring> {
    reading ??= read().finally(() => {
      reading = undefined
    })
    ring = await reading
    return ring
  }

  async function present(): Promise<Ring> {
    if (!ring) return look()
    const now = clock.now()
    if (now >= ring.until) {
      // The next key is known since long ago: it can take over though the one after it cannot be made yet.
      const { stored } = ring
      return look().catch(async () => {
        ring = await ringOf(stored, now)
        return ring
      })
    }
    if (isOlder(ring, LOOK_EVERY_MS, now)) {
      ring.since = now
      void look().catch(() => {})
    }
    return ring
  }

  const known = () =>
    present().catch((error) => {
      if (error instanceof ParleyError) throw error
      throw unavailable("The signing keys cannot be read just now.", error)
    })

  return {
    async load() {
      await present()
    },
    refreshSecret: async () => (await known()).stored.refreshSecret,
    signing: async () => (await known()).signing,
    published: async () => (await known()).published,
    async verifying(header, token) {
      const present = await known()
      try {
        return await present.verifying(header, token)
      } catch (error) {
        const isUnknown = error instanceof errors.JWKSNoMatchingKey
        if (!isUnknown || !isOlder(present, LOOK_FOR_UNKNOWN_EVERY_MS, clock.now())) throw error
        present.since = clock.now()
        return (await look()).verifying(header, token)
      }
    },
  }
}

// A clock may have been set back meanwhile.
const isOlder = (ring: Ring, ms: number, now: number) => Math.abs(now - ring.since) >= ms

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

// A clock that was set back before the first key's time must not stop people from signing in.
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
    since: now,
    until: next?.activeFrom ?? now + LOOK_EVERY_MS,
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
