import { afterAll, beforeAll, expect, test } from "bun:test"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import type { LogFields } from "@parley/platform/log.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import {
  FRESH_TURN_EVERY_MS,
  GUESSES_PER_ACCOUNT,
  REFRESHES_PER_SESSION,
  SEARCHES_PER_ACCOUNT,
} from "./limits.ts"
import { startAuth } from "./start.ts"
import { startParts } from "./test/parts.ts"
import { CHEAP, configFor, PASSWORD, SECRET } from "./test/world.ts"

const folder = temporaryFolder()
let auth: Awaited<ReturnType<typeof startAuth>>
let url = ""
beforeAll(async () => {
  const info = (event: string, fields?: LogFields) => {
    if (event === "metrics") url = String(fields?.url)
  }
  const observability = { metrics: { port: 0, host: "127.0.0.1" }, traces: undefined }
  const config = configFor(folder.path, { observability, guessesPerAddress: 2 })
  auth = await startAuth(config, { log: { ...silentLogger, info }, hashing: CHEAP })
})
afterAll(async () => {
  await auth.stop()
  folder[Symbol.dispose]()
})

const ask = (query: string) =>
  fetch(`http://127.0.0.1:${auth.port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
    body: JSON.stringify({ query }),
  })

const metrics = async () => (await (await fetch(url)).text()).split("\n")
const limits = (lines: string[]) =>
  lines.flatMap((line) => /^parley_auth_rate_limited_total\{limit="(.+)"\}/.exec(line)?.[1] ?? [])

test("every limit has a figure from the start, and docs/observability.md names them all", async () => {
  const docs = await Bun.file(`${import.meta.dir}/../docs/observability.md`).text()
  const row = docs.split("\n").find((line) => line.includes("parley_auth_rate_limited_total"))!
  const named = [...row.matchAll(/`([a-z-]+\/[a-z-]+)`/g)].map(([, name]) => name)
  expect([...new Set(named)].toSorted()).toEqual(limits(await metrics()).toSorted())
})

test("auth counts attempts by outcome, and what its limits refuse", async () => {
  const input = (username: string, password = PASSWORD) =>
    `input: { username: "${username}", password: "${password}" }`
  await ask(`mutation { signUp(${input("alice")}) { id } }`)
  await ask(`mutation { signUp(${input("alice")}) { id } }`)
  await ask(`mutation { signIn(${input("alice")}) { id } }`)
  for (const _ of "123")
    await ask(`mutation { signIn(${input("alice", "not hers at all")}) { id } }`)
  await ask("mutation { refreshSession { id } }")
  const lines = await metrics()
  for (const line of [
    'parley_auth_attempts_total{kind="sign-up",outcome="OK"} 1',
    'parley_auth_attempts_total{kind="sign-up",outcome="CONFLICT"} 1',
    'parley_auth_attempts_total{kind="sign-in",outcome="OK"} 1',
    'parley_auth_attempts_total{kind="sign-in",outcome="UNAUTHENTICATED"} 2',
    'parley_auth_attempts_total{kind="sign-in",outcome="RATE_LIMITED"} 1',
    'parley_auth_rate_limited_total{limit="guess/address"} 1',
    'parley_auth_rate_limited_total{limit="guess/turn"} 0',
    'parley_auth_hashing_passwords{state="running"} 0',
    'parley_auth_hashing_passwords{state="waiting"} 0',
    'parley_auth_store_seconds_count{operation="insertUser"} 1',
    'parley_auth_store_failures_total{operation="insertUser"} 0',
    "parley_auth_sockets 0",
  ]) {
    expect(lines).toContain(line)
  }
  expect(lines.join()).not.toContain("alice")
})

test("auth tells refusals by turns and by buckets from those of other limits", async () => {
  await using parts = await startParts(undefined, {
    observability: { metrics: { port: 0, host: "127.0.0.1" }, traces: undefined },
  })
  const count = (limit: string) =>
    Number(
      parts
        .metrics!.text()
        .split("\n")
        .find((line) => line.startsWith(`parley_auth_rate_limited_total{limit="${limit}"}`))
        ?.split(" ")[1],
    )
  const alice = { username: "alice", password: PASSWORD }
  const origin = { address: "203.0.113.7", userAgent: "" }
  const { user, session, refreshToken } = await parts.accounts.signUp(alice, origin)
  const wrong = { ...alice, password: "a wrong guess" }
  const guess = (address: string) => parts.accounts.signIn(wrong, { ...origin, address })
  for (let i = 0; i < GUESSES_PER_ACCOUNT; i++) await guess(`198.51.100.${i}`).catch(() => {})
  expect(count("guess/turn")).toBe(0)
  // Told when its turn is, and then that it is early.
  for (const _ of "12") {
    await expect(guess("198.51.100.99")).rejects.toMatchObject({ code: "RATE_LIMITED" })
  }
  expect(count("guess/turn")).toBe(2)
  // One that is let through is not refused.
  parts.clock.pass(FRESH_TURN_EVERY_MS)
  await expect(guess("198.51.100.99")).rejects.toMatchObject({ code: "UNAUTHENTICATED" })
  expect(count("guess/turn")).toBe(2)

  const viewer = { user, session, expiresAt: 0 }
  for (let i = 0; i <= SEARCHES_PER_ACCOUNT.burst; i++) {
    await parts.accounts.search(viewer, "ali", 1).catch(() => {})
  }
  expect(count("search/account")).toBe(1)
  for (let i = 0; i <= REFRESHES_PER_SESSION.burst; i++) {
    await parts.sessions.refresh(refreshToken).catch(() => {})
  }
  expect(count("refresh/session")).toBe(1)
})
