import { afterAll, beforeAll, expect, test } from "bun:test"
import { SECRET_HEADER } from "@parley/service/link.ts"
import type { LogFields } from "@parley/service/log.ts"
import { silentLogger } from "@parley/service/log.ts"
import { startAuth } from "./start.ts"
import { temporaryFolder } from "./test/parts.ts"
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

test("auth counts attempts by outcome, and what its limits refuse", async () => {
  const input = (username: string, password = PASSWORD) =>
    `input: { username: "${username}", password: "${password}" }`
  await ask(`mutation { signUp(${input("alice")}) { id } }`)
  await ask(`mutation { signUp(${input("alice")}) { id } }`)
  await ask(`mutation { signIn(${input("alice")}) { id } }`)
  for (const _ of "123")
    await ask(`mutation { signIn(${input("alice", "not hers at all")}) { id } }`)
  await ask("mutation { refreshSession { id } }")
  const lines = (await (await fetch(url)).text()).split("\n")
  for (const line of [
    'parley_auth_attempts_total{kind="sign-up",outcome="OK"} 1',
    'parley_auth_attempts_total{kind="sign-up",outcome="CONFLICT"} 1',
    'parley_auth_attempts_total{kind="sign-in",outcome="OK"} 1',
    'parley_auth_attempts_total{kind="sign-in",outcome="UNAUTHENTICATED"} 2',
    'parley_auth_attempts_total{kind="sign-in",outcome="RATE_LIMITED"} 1',
    'parley_auth_rate_limited_total{limit="guess/address"} 1',
    'parley_auth_rate_limited_total{limit="guess/account"} 0',
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
