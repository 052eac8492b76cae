import { describe, expect, test } from "bun:test"
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createTokenVerifier } from "@parley/service/tokens.ts"
import { keyFile } from "../store/key-file.ts"
import type { StoredKeys } from "../store/store.ts"
import { stoppedClock, temporaryFolder } from "../test/parts.ts"
import { createAccessTokens } from "./access-tokens.ts"
import { createKeys, KEY_PERIOD_MS } from "./keys.ts"

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
