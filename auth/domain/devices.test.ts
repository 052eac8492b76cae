import { expect, test } from "bun:test"
import { MAX_ACCOUNTS_PER_DEVICE } from "../limits.ts"
import { createDevices } from "./devices.ts"

const devices = createDevices(async () => "a secret")
const alice = { user: "alice", passwordHash: "hash 1" }
const bob = { user: "bob", passwordHash: "hash 2" }

test("a device is known to those who have signed in with it, and to no other account", async () => {
  const first = await devices.welcome(undefined, alice)
  const id = await devices.known(first, alice)
  expect(id).toMatch(/^[\w-]{11}$/)
  expect(await devices.known(first, bob)).toBeUndefined()
  expect(await devices.known(undefined, alice)).toBeUndefined()
  const both = await devices.welcome(first, bob)
  expect(await devices.known(both, alice)).toBe(id!)
  expect(await devices.known(both, bob)).toBe(id!)
  expect(await devices.welcome(both, alice)).not.toContain("alice")
  expect(await devices.known(await devices.welcome(undefined, alice), alice)).not.toBe(id!)
})

test("devices that one session is given are counted as one, and are not the same", async () => {
  const cookies = [
    await devices.restore("session 1", alice),
    await devices.restore("session 1", alice),
  ]
  expect(cookies[0]).not.toBe(cookies[1]!)
  const names = await Promise.all(cookies.map((cookie) => devices.known(cookie, alice)))
  expect(names).toEqual([names[0]!, names[0]!])
  expect(await devices.known(await devices.restore("session 2", alice), alice)).not.toBe(names[0]!)
  expect(await devices.known(cookies[0], bob)).toBeUndefined()
  expect(await devices.known(await devices.welcome(cookies[0], bob), bob)).toBe(names[0]!)
})

test("a device is unknown once the password is another one", async () => {
  const cookie = await devices.welcome(undefined, alice)
  const changed = { ...alice, passwordHash: "hash 3" }
  expect(await devices.known(cookie, changed)).toBeUndefined()
  expect(await devices.known(await devices.welcome(cookie, changed), changed)).toBeDefined()
})

test("a device remembers the accounts that signed in last", async () => {
  let cookie = await devices.welcome(undefined, alice)
  for (let i = 1; i < MAX_ACCOUNTS_PER_DEVICE; i++) {
    cookie = await devices.welcome(cookie, { user: `user ${i}`, passwordHash: "hash" })
  }
  expect(cookie.length).toBeLessThan(256)
  expect(await devices.known(cookie, alice)).toBeDefined()
  const one = await devices.welcome(cookie, bob)
  expect(await devices.known(one, alice)).toBeUndefined()
  expect(await devices.known(one, { user: "user 1", passwordHash: "hash" })).toBeDefined()
})

test("cookies cannot be made, changed or put together without the secret", async () => {
  const [own, foreign] = [
    await devices.welcome(undefined, bob),
    await createDevices(async () => "another secret").welcome(undefined, alice),
  ]
  const [id, tags, seal] = own.split(".")
  const [foreignId, foreignTags, foreignSeal] = foreign.split(".")
  for (const forged of [
    foreign,
    `${id}.${foreignTags}.${seal}`,
    `${foreignId}.${foreignTags}.${seal}`,
    `${id}.${tags}~${foreignTags}.${seal}`,
    `${id}.${tags}.${foreignSeal}`,
    `${id}..${seal}`,
    `${id}.${tags}.${seal} `,
    `${id}.${tags}.`,
    "..",
    "",
    `${"x".repeat(100_000)}.${tags}.${seal}`,
  ]) {
    expect(await devices.known(forged, alice)).toBeUndefined()
    expect(await devices.isOurs(forged)).toBeFalse()
    const anew = await devices.welcome(forged, alice)
    expect(anew.split(".")[0]).not.toBe(forged.split(".")[0]!)
  }
  expect(await devices.isOurs(own)).toBeTrue()
})
