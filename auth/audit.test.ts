import { expect, test } from "bun:test"
import { ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import { type LogFields, silentLogger } from "@parley/platform/log.ts"
import { createAudit } from "./audit.ts"
import { AUDIT_LIMITED_PER_SECOND } from "./limits.ts"
import { PASSWORD, startWorld } from "./test/world.ts"

/** A log that remembers its lines. */
function lines() {
  const all: ({ event: string } & LogFields)[] = []
  const info = (event: string, fields: LogFields = {}) => all.push({ event, ...fields })
  return { all, log: { ...silentLogger, info } }
}

test("what is done with accounts and sessions is written down, and no secret with it", async () => {
  const { all, log } = lines()
  await using world = await startWorld({}, {}, 0, log)
  const device = world.device()
  await device.signUp("alice", { device: "Alice's phone" })
  await world.device().signIn("alice", "my other password")
  const secrets = [PASSWORD, "my other password"]
  const laptop = world.device()
  await laptop.signIn("alice")
  const sessions = await device.sessions()
  const other = sessions.find(({ current }) => !current)!
  await device.ask("mutation($id: ID!) { revokeSession(id: $id) }", { id: other.id })
  const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
  await device.ask(change, { c: "not my password", n: "a new horse, a new battery" })
  await device.ask(change, { c: PASSWORD, n: "a new horse, a new battery" })
  const thief = world.device()
  thief.cookies.set("parley_refresh", device.cookies.get("parley_refresh")!)
  await device.refresh()
  await device.refresh()
  await thief.refresh()
  const again = world.device()
  await again.signIn("alice", "a new horse, a new battery")
  await again.ask("mutation { signOut }")
  for (let i = 0; i < 12; i++) await world.device().signIn("bob", "a wrong guess")

  const audited = all.filter(({ audit }) => audit === true)
  expect(audited.map(({ event }) => event)).toEqual([
    ...["sign-up done", "sign-in failed", "sign-in done", "revoke done"],
    ...["password-change failed", "password-change done", "refresh with a token used before"],
    ...["sign-in done", "sign-out done"],
    ...Array(10).fill("sign-in failed"),
    ...Array(2).fill("sign-in limited"),
  ])
  const [signUp, failed] = audited
  expect(signUp).toMatchObject({
    username: "alice",
    user: expect.any(String),
    address: device.address,
  })
  expect(signUp?.device).toBe("Alice's phone")
  expect(failed).toMatchObject({
    username: "alice",
    address: "203.0.113.7",
    device: "Chrome on Linux",
  })
  expect(failed).not.toHaveProperty("user")
  expect(audited[3]).toMatchObject({ user: signUp!.user, session: other.id })
  expect(audited[6]).toMatchObject({ user: signUp!.user, session: expect.any(String) })
  const text = JSON.stringify(all)
  for (const secret of [...secrets, ...device.cookies.values(), ...laptop.cookies.values()]) {
    expect(text).not.toContain(secret)
  }
})

test("a sign-out that ends two sessions, by the access token and by the cookie, is two lines", async () => {
  const { all, log } = lines()
  await using world = await startWorld({}, {}, 0, log)
  const [device, other] = [world.device(), world.device()]
  await device.signUp("alice")
  await other.signIn("alice")
  const sessions = await device.sessions()
  device.cookies.set("parley_refresh", other.cookies.get("parley_refresh")!)
  await device.ask("mutation { signOut }")
  const ended = all.filter(({ event }) => event === "sign-out done").map(({ session }) => session)
  expect(ended.toSorted()).toEqual(sessions.map(({ id }) => id).toSorted())
})

const call = { address: "203.0.113.7", userAgent: "", cause: { requestId: "r-1" } }

test("what comes from outside is cut short and escaped", () => {
  const { all, log } = lines()
  const audit = createAudit(log)
  const hostile = { ...call, address: `a\n\u202e\u001b[31m"${"x".repeat(100_000)}` }
  const device = `${"x".repeat(60)}éé`
  audit.failed("sign-in", hostile, { username: "alice", device }, unauthenticated())
  audit.failed("sign-in", call, { username: "alice", device: "\u0000" }, unauthenticated())
  expect(all[0]).toEqual({
    event: "sign-in failed",
    audit: true,
    username: "alice",
    address: `a\\u{a}\\u{202e}\\u{1b}[31m"${"x".repeat(55)}…`,
    device: `${"x".repeat(60)}\\u{e9}\\u{e9}`,
    requestId: "r-1",
  })
  expect(all[1]).toMatchObject({ address: call.address, device: "not a name" })
})

test("a username is written where it can be one, and nothing else that was typed in its place", () => {
  const { all, log } = lines()
  const audit = createAudit(log)
  const written = (username: string) => {
    audit.failed("sign-in", call, { username }, unauthenticated())
    return all.at(-1)?.username
  }
  expect(written("alice")).toBe("alice")
  expect(written(" Alice.B_9 ")).toBe("alice.b_9")
  for (const typed of [
    "correct horse battery",
    "s3cret!pass",
    "x".repeat(33),
    "",
    "a\nb",
    "Ａlice",
  ]) {
    expect(written(typed)).toBe("(not a username)")
  }
})

test("a flood of refused requests is a bounded number of lines, and says how many it left out", () => {
  const { all, log } = lines()
  let ms = 0
  const audit = createAudit(log, () => ms)
  const limited = new ParleyError("RATE_LIMITED", "Wait.")
  for (let i = 0; i < 1_000; i++) audit.failed("sign-in", call, {}, limited)
  expect(all).toHaveLength(AUDIT_LIMITED_PER_SECOND)
  ms = 1_000
  audit.failed("sign-in", call, {}, limited)
  expect(all.slice(-2)).toMatchObject([
    { omitted: 1_000 - AUDIT_LIMITED_PER_SECOND },
    { event: "sign-in limited" },
  ])
  audit.failed("sign-up", call, {}, new ParleyError("BAD_INPUT", "No.", { field: "username" }))
  expect(all).toHaveLength(AUDIT_LIMITED_PER_SECOND + 2)
})

test("the expression that docs/operations.md has for fail2ban finds the address, and no other", async () => {
  const docs = await Bun.file(`${import.meta.dir}/../docs/operations.md`).text()
  const [, expression = ""] = /failregex = (.+)/.exec(docs) ?? []
  const pattern = new RegExp(expression.replace("<HOST>", "([0-9a-f.:]+)"))
  const { all, log } = lines()
  const audit = createAudit(log)
  const username = 'x","address":"198.51.100.1'
  const device = 'y","address":"198.51.100.2'
  audit.failed("sign-in", call, { username, device }, unauthenticated())
  audit.failed("sign-up", call, { username }, new ParleyError("RATE_LIMITED", "Wait."))
  audit.done("sign-in", call, { username, user: "u", session: "s" })
  const found = all.map((line) => pattern.exec(JSON.stringify(line))?.[1])
  expect(found).toEqual([call.address, call.address, undefined])
})
