import { describe, expect, test } from "bun:test"
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { unavailable } from "@parley/platform/errors.ts"
import { createTokenVerifier } from "@parley/platform/tokens.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import { keyFile } from "../store/sqlite/key-file.ts"
import type { KeyStorage, StoredKeys } from "../store/store.ts"
import { stoppedClock } from "../test/parts.ts"
import { createAccessTokens } from "./access-tokens.ts"
import { createKeys, KEY_PERIOD_MS, type Keys } from "./keys.ts"

const ISSUER = "https://parley.example"
const MINUTE = 60_000

async function openKeys(path: string, clock = stoppedClock()) {
  const keys = createKeys(keyFile(path), clock)
  await keys.load()
  const published = async () => (await keys.published()).keys.map(({ kid }) => kid)
  const signing = async () => (await keys.signing()).kid
  return { keys, clock, published, signing, tokens: createAccessTokens(keys, ISSUER, clock) }
}

describe("the signing keys", () => {
  test("take turns; each is published a period before it signs and a period after", async () => {
    using folder = temporaryFolder()
    const { clock, published, signing, tokens, keys } = await openKeys(join(folder.path, "keys"))
    const verifier = createTokenVerifier({ keys: keys.verifying, issuer: ISSUER, clock })
    const [first, second] = await published()
    expect(await published()).toHaveLength(2)
    expect(await signing()).toBe(first!)

    clock.pass(KEY_PERIOD_MS - 1)
    expect(await signing()).toBe(first!)
    const token = await tokens.issue("alice", "session")
    clock.pass(1)
    expect(await signing()).toBe(second!)
    expect(await verifier.verify(token)).toMatchObject({ user: "alice", session: "session" })
    const [, , third] = await published()
    expect(await published()).toEqual([first, second, third!])

    clock.pass(KEY_PERIOD_MS)
    expect(await signing()).toBe(third!)
    expect(await published()).not.toContain(first)
    expect(await published()).toHaveLength(3)
  })

  test("are the same after a restart, and new ones after a long absence", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "keys")
    const before = await openKeys(path)
    const token = await before.tokens.issue("alice", "session")
    const after = await openKeys(path, before.clock)
    expect(await after.published()).toEqual(await before.published())
    expect(await after.keys.refreshSecret()).toBe(await before.keys.refreshSecret())
    const options = { keys: after.keys.verifying, issuer: ISSUER, clock: after.clock }
    expect(await createTokenVerifier(options).verify(token)).toMatchObject({ user: "alice" })

    const old = await before.published()
    before.clock.pass(10 * KEY_PERIOD_MS)
    const late = await openKeys(path, before.clock)
    expect(old).not.toContain(await late.signing())
    expect(await before.published()).toEqual(await late.published())
    expect(await late.keys.refreshSecret()).toBe(await before.keys.refreshSecret())
  })

  test("turn once, however many ask at that moment, and also while nobody signs", async () => {
    using folder = temporaryFolder()
    const { clock, keys } = await openKeys(join(folder.path, "keys"))
    clock.pass(KEY_PERIOD_MS)
    const asked = await Promise.all(Array.from({ length: 10 }, () => keys.published()))
    expect(new Set(asked.map((set) => JSON.stringify(set))).size).toBe(1)
  })

  test("survive a clock that was set back", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "keys")
    const now = await openKeys(path)
    const past = await openKeys(path, stoppedClock(Date.UTC(2001, 0, 1)))
    expect(await past.signing()).toBe(await now.signing())
  })

  test("are in a file that only its owner may read, whatever mode it came back with", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "keys.json")
    // What a crash may leave behind, and a careless copy.
    writeFileSync(`${path}.new`, "{", { mode: 0o644 })
    const { clock, keys } = await openKeys(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder.path)).toEqual(["keys.json"])
    chmodSync(path, 0o644)
    await openKeys(path, clock)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const { keys: stored, refreshSecret } = JSON.parse(readFileSync(path, "utf8")) as StoredKeys
    const published = JSON.stringify(await keys.published())
    for (const { privateKey } of stored) expect(published).not.toContain(privateKey.d)
    expect(published).not.toContain(refreshSecret)
  })

  test.each(["", "{}", '{"refreshSecret":"short","keys":[]}', "\0\0\0"])(
    "that cannot be read (%j) are refused with a sentence, and left for whoever can mend them",
    async (text) => {
      using folder = temporaryFolder()
      const path = join(folder.path, "keys.json")
      writeFileSync(path, text)
      await expect(openKeys(path)).rejects.toMatchObject({
        name: "ConfigError",
        message: expect.stringMatching(/keys\.json .*restore it.*\.$/),
      })
      expect(readFileSync(path, "utf8")).toBe(text)
    },
  )

  test("sign for ten minutes from the injected clock's now", async () => {
    using folder = temporaryFolder()
    const { clock, keys, tokens } = await openKeys(join(folder.path, "keys"))
    const verifier = createTokenVerifier({ keys: keys.verifying, issuer: ISSUER, clock })
    const token = await tokens.issue("alice", "session")
    clock.pass(10 * MINUTE - 1)
    await verifier.verify(token)
    clock.pass(1)
    expect(() => verifier.verify(token)).toThrow("expired")
  })
})

/** Keys as several processes share them, kept in memory; `isAway` where it cannot be reached. */
class SharedStorage implements KeyStorage {
  held: StoredKeys | undefined
  loads = 0
  saves = 0
  isAway = false

  async load() {
    this.loads += 1
    if (this.isAway) throw unavailable("away")
    return structuredClone(this.held)
  }
  async save(keys: StoredKeys) {
    if (this.isAway) throw unavailable("away")
    if (keys.version !== (this.held?.version ?? 0) + 1) return false
    this.saves += 1
    this.held = structuredClone(keys)
    return true
  }
}

describe("keys that several processes share", () => {
  const kids = async (keys: Keys) => (await keys.published()).keys.map(({ kid }) => kid)

  test("are the same for all that make the first ones, or turn them, at the same moment", async () => {
    const storage = new SharedStorage()
    const clock = stoppedClock()
    const processes = Array.from({ length: 5 }, () => createKeys(storage, clock))
    for (const version of [1, 2, 3]) {
      const published = await Promise.all(processes.map(kids))
      expect(new Set(published.map(String)).size).toBe(1)
      const signing = await Promise.all(processes.map(async (keys) => (await keys.signing()).kid))
      expect(new Set(signing).size).toBe(1)
      expect(published[0]).toContain(signing[0]!)
      const secrets = await Promise.all(processes.map((keys) => keys.refreshSecret()))
      expect(new Set(secrets).size).toBe(1)
      expect(storage.saves).toBe(version)
      clock.pass(KEY_PERIOD_MS)
    }
  })

  test("verify what the other one signs, also with a key that is not known here yet", async () => {
    const storage = new SharedStorage()
    const clock = stoppedClock()
    const [one, other] = [createKeys(storage, clock), createKeys(storage, clock)]
    const verifier = createTokenVerifier({ keys: other.verifying, issuer: ISSUER, clock })
    await other.load()
    // Somebody has taken the keys away, and the first to come makes new ones.
    storage.held = undefined
    const token = await createAccessTokens(one, ISSUER, clock).issue("alice", "session")
    clock.pass(1_000)
    expect(await verifier.verify(token)).toMatchObject({ user: "alice" })
    expect(await kids(other)).toEqual(await kids(one))
  })

  test("are not looked for more than once a second, whatever names of keys tokens make up", async () => {
    const storage = new SharedStorage()
    const clock = stoppedClock()
    const keys = createKeys(storage, clock)
    const verifier = createTokenVerifier({ keys: keys.verifying, issuer: ISSUER, clock })
    const stranger = createKeys(new SharedStorage(), clock)
    await keys.load()
    const { loads } = storage
    for (let i = 0; i < 20; i += 1) {
      const token = await createAccessTokens(stranger, ISSUER, clock).issue(`user ${i}`, "session")
      await expect((async () => verifier.verify(token))()).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      })
      clock.pass(150)
    }
    expect(storage.loads - loads).toBeWithin(1, 4)
  })

  test("that were changed are in use within a minute", async () => {
    const storage = new SharedStorage()
    const clock = stoppedClock()
    const [one, other] = [createKeys(storage, clock), createKeys(storage, clock)]
    await one.load()
    storage.held = undefined
    await other.load()
    expect(await kids(one)).not.toEqual(await kids(other))
    clock.pass(60_000)
    await kids(one)
    await until(async () => String(await kids(one)) === String(await kids(other)), "the new keys")
    expect(await one.refreshSecret()).toBe(await other.refreshSecret())
  })

  test("are UNAVAILABLE until they have been read once, and turn then without their storage", async () => {
    const storage = new SharedStorage()
    const clock = stoppedClock()
    const keys = createKeys(storage, clock)
    storage.isAway = true
    for (const ask of [keys.load, keys.signing, keys.published, keys.refreshSecret]) {
      await expect(ask()).rejects.toMatchObject({ code: "UNAVAILABLE" })
    }
    storage.isAway = false
    const [first, second] = await kids(keys)
    storage.isAway = true
    clock.pass(61_000)
    expect((await keys.signing()).kid).toBe(first!)
    clock.pass(KEY_PERIOD_MS)
    expect((await keys.signing()).kid).toBe(second!)
    expect(await kids(keys)).toEqual([first!, second!])
    storage.isAway = false
    clock.pass(61_000)
    expect(await kids(keys)).toHaveLength(3)
    expect((await keys.signing()).kid).toBe(second!)
  })

  test("that cannot be read are UNAVAILABLE for everyone, and the reason is for those who can mend it", async () => {
    const reason = new Error("sealed with another LINK_SECRET")
    const keys = createKeys(
      { load: () => Promise.reject(reason), save: async () => false },
      stoppedClock(),
    )
    await expect(keys.load()).rejects.toBe(reason)
    await expect(keys.signing()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.not.stringContaining("LINK_SECRET"),
    })
  })
})
