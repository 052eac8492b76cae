import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from "jose"
import { KEY_PERIOD_MS } from "./domain/keys.ts"
import { PASSWORD, SECRET, startWorld, type World } from "./test/world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

async function newcomer(username: string, own = world) {
  const device = own.device()
  await device.signUp(username)
  return device
}

describe("cookies", () => {
  test("are out of reach of scripts and other sites", async () => {
    const { setCookies } = await newcomer("alice")
    expect(setCookies).toHaveLength(3)
    for (const cookie of setCookies) {
      expect(cookie).toContain("HttpOnly")
      expect(cookie).toContain("SameSite=Lax")
      expect(cookie).toContain("Path=/")
    }
    const named = (name: string) => setCookies.find((cookie) => cookie.startsWith(`${name}=`))
    expect(named("parley_access")).toContain("Max-Age=600")
    expect(named("parley_refresh")).toContain("Max-Age=2592000")
    expect(named("parley_device")).toContain("Max-Age=31536000")
  })

  test("are tied to the host and to TLS under https", async () => {
    await using secure = await startWorld({ publicUrl: "https://chat.example.org" })
    const { setCookies } = await newcomer("alice", secure)
    for (const cookie of setCookies) expect(cookie).toMatch(/^__Host-parley_.*; Secure/)
  })
})

describe("tokens", () => {
  test("say who and for how long, and can be checked with the published key", async () => {
    const device = await newcomer("bob")
    const { data } = await device.ask<{ me: { id: string } }>("{ me { id } }")
    const claims = decodeJwt(device.access)
    expect(claims).toMatchObject({
      sub: data?.me.id,
      iss: "http://localhost:4000",
      aud: "parley",
    })
    expect(claims.exp! - claims.iat!).toBe(600)
    const { keys } = await (await fetch(`${world.url}/.well-known/jwks.json`)).json()
    const { kid, alg } = decodeProtectedHeader(device.access)
    expect(alg).toBe("EdDSA")
    expect(keys.map((key: { kid: string }) => key.kid)).toContain(kid)
    expect(keys.length).toBeGreaterThanOrEqual(2)
    expect(JSON.stringify(keys)).not.toContain('"d"')
  })

  test("that are expired, unsigned, signed by another or no tokens at all are refused", async () => {
    await using own = await startWorld()
    const device = await newcomer("carol", own)
    const claims = decodeJwt(device.access)
    const { kid } = decodeProtectedHeader(device.access)
    const { privateKey } = await generateKeyPair("EdDSA")
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: "EdDSA", kid: kid! })
      .sign(privateKey)
    const unsigned = new UnsecuredJWT(claims).encode()
    // The published key, taken for a shared secret.
    const { keys } = await (await fetch(`${own.url}/.well-known/jwks.json`)).json()
    const confused = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: kid! })
      .sign(Buffer.from(keys[0].x, "base64url"))
    const [head, , signature] = device.access.split(".")
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: "someone else" }))
    const altered = `${head}.${changed.toString("base64url")}.${signature}`
    for (const token of [
      forged,
      unsigned,
      confused,
      altered,
      "nonsense",
      "a.b.c",
      "x".repeat(5_000),
    ]) {
      expect(await own.device().code("{ sessions { id } }", {}, token)).toBe("UNAUTHENTICATED")
    }
    expect(await own.device().code("{ sessions { id } }", {}, device.access)).toBeUndefined()
    own.pass(601_000)
    expect(await own.device().code("{ sessions { id } }", {}, device.access)).toBe(
      "UNAUTHENTICATED",
    )
  })

  test("the keys are their owner's alone, and rotate without cutting anybody off", async () => {
    await using own = await startWorld()
    const device = await newcomer("dave", own)
    expect(statSync(join(own.dataDir, "auth", "keys.json")).mode & 0o777).toBe(0o600)
    const before = decodeProtectedHeader(device.access).kid
    own.pass(KEY_PERIOD_MS - 60_000)
    await device.signIn("dave")
    const old = device.access
    own.pass(120_000)
    await device.signIn("dave")
    expect(decodeProtectedHeader(old).kid).toBe(before)
    expect(decodeProtectedHeader(device.access).kid).not.toBe(before)
    expect(await own.device().code("{ sessions { id } }", {}, old)).toBeUndefined()
    expect(await device.isSignedIn()).toBeTrue()
    await own.restart()
    expect(await device.isSignedIn()).toBeTrue()
  })
})

describe("refreshing", () => {
  test("renews both tokens, and nothing plain is stored", async () => {
    const device = await newcomer("erin")
    const [access, refresh] = [device.access, device.cookies.get("parley_refresh")!]
    world.pass(1_000)
    expect((await device.refresh()).data?.refreshSession).toBeDefined()
    expect(device.access).not.toBe(access)
    expect(device.cookies.get("parley_refresh")).not.toBe(refresh)
    const database = readFileSync(join(world.dataDir, "auth", "auth.sqlite-wal"), "latin1")
    expect(database).not.toContain(device.cookies.get("parley_refresh")!)
    expect(database).not.toContain(refresh)
  })

  test("two tabs that refresh at the same moment both stay signed in, with the same cookie", async () => {
    const tab = await newcomer("frank")
    const twin = world.device()
    for (const [name, value] of tab.cookies) twin.cookies.set(name, value)
    const [one, two] = await Promise.all([tab.refresh(), twin.refresh()])
    expect(one.errors ?? two.errors).toBeUndefined()
    expect(tab.cookies.get("parley_refresh")).toBe(twin.cookies.get("parley_refresh")!)
    world.pass(60_000)
    expect((await tab.refresh()).data?.refreshSession).toBeDefined()
  })

  test("a token whose answer was lost may be used again an hour later", async () => {
    const device = await newcomer("gina")
    const lost = world.device()
    for (const [name, value] of device.cookies) lost.cookies.set(name, value)
    await device.refresh()
    world.pass(60 * 60_000)
    expect((await lost.refresh()).errors).toBeUndefined()
    expect(lost.cookies.get("parley_refresh")).toBe(device.cookies.get("parley_refresh")!)
  })

  test("a token that is used once its successor was used ends the whole session", async () => {
    const device = await newcomer("gina2")
    const [current] = await device.sessions()
    const thief = world.device()
    thief.cookies.set("parley_refresh", device.cookies.get("parley_refresh")!)
    await device.refresh()
    await device.refresh()
    expect((await thief.refresh()).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
    expect((await device.refresh()).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
    expect((await world.endedSessions()).map(({ id }) => id)).toContain(current!.id)
  })

  test("a change of the password sets a new token, and a copy of the old one is a stolen one", async () => {
    const device = await newcomer("gina3")
    const copy = world.device()
    copy.cookies.set("parley_refresh", device.cookies.get("parley_refresh")!)
    const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
    await device.ask(change, { c: PASSWORD, n: "a new horse, a new battery" })
    expect(await device.isSignedIn()).toBeTrue()
    expect((await device.refresh()).errors).toBeUndefined()
    expect((await copy.refresh()).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
    expect(await device.code("{ sessions { id } }")).toBe("UNAUTHENTICATED")
  })

  test.each(["", "nonsense", "a.b.c"])("the token %j is refused", async (token) => {
    const device = world.device()
    if (token) device.cookies.set("parley_refresh", token)
    expect((await device.refresh()).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
  })

  test("a session that nobody renews for a month is over", async () => {
    await using own = await startWorld()
    const device = await newcomer("hugo", own)
    own.pass(31 * 24 * 60 * 60 * 1000)
    expect((await device.refresh()).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
  })
})

describe("the device cookie", () => {
  test("stays the same over sign-outs and refreshes, and comes back where it was lost", async () => {
    const device = await newcomer("dora")
    const first = device.cookies.get("parley_device")!
    expect(decodeJwt(device.access)).not.toHaveProperty("device")
    expect(device.access).not.toContain(first)
    await device.refresh()
    await device.ask("mutation { signOut }")
    expect(device.cookies.get("parley_device")).toBe(first)
    await device.signIn("dora")
    expect(device.cookies.get("parley_device")).toBe(first)
    device.cookies.delete("parley_device")
    await device.refresh()
    const second = device.cookies.get("parley_device")!
    expect(second.split(".")[0]).not.toBe(first.split(".")[0]!)
    device.cookies.set("parley_device", "nonsense")
    await device.refresh()
    expect(device.cookies.get("parley_device")).not.toBe("nonsense")
  })

  test("that was lost comes back anew, and whoever copies a session has one device's guesses", async () => {
    const device = await newcomer("delia")
    const cookies = new Set<string>()
    for (let i = 0; i < 3; i++) {
      device.cookies.delete("parley_device")
      await device.refresh()
      cookies.add(device.cookies.get("parley_device")!)
    }
    expect(cookies.size).toBe(3)
    const thief = world.device()
    const guesses: (string | undefined)[] = []
    for (let i = 0; i < 11; i++) {
      thief.cookies.set("parley_refresh", device.cookies.get("parley_refresh")!)
      thief.cookies.delete("parley_device")
      await thief.refresh()
      guesses.push((await thief.signIn("delia", "a wrong guess")).errors?.[0]?.extensions.code)
    }
    expect(guesses.slice(0, 10)).toEqual(Array(10).fill("UNAUTHENTICATED"))
    expect(guesses[10]).toBe("RATE_LIMITED")
  })

  test("keeps its owner from being locked out, and a copy of it does not open other accounts", async () => {
    const owner = await newcomer("dana")
    await newcomer("dilan")
    for (const name of ["dana", "dilan"]) {
      for (let i = 0; i < 11; i++) await world.device().signIn(name, "a wrong guess")
      expect((await world.device().signIn(name)).errors?.[0]?.extensions.code).toBe("RATE_LIMITED")
    }
    const copy = world.device()
    copy.cookies.set("parley_device", owner.cookies.get("parley_device")!)
    expect((await copy.signIn("dilan")).errors?.[0]?.extensions.code).toBe("RATE_LIMITED")
    expect((await owner.signIn("dana")).data?.signIn).toBeDefined()
    // With a new password it is known anew, on this device alone.
    const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
    const next = "a new horse, a new battery"
    expect(await owner.code(change, { c: PASSWORD, n: next })).toBeUndefined()
    expect((await owner.signIn("dana", next)).data?.signIn).toBeDefined()
    expect((await copy.signIn("dana", next)).errors?.[0]?.extensions.code).toBe("RATE_LIMITED")
  })
})

describe("devices", () => {
  test("are listed by name, and one can sign out another", async () => {
    const phone = await newcomer("ivy")
    const laptop = world.device()
    await laptop.signIn("ivy")
    const sessions = await phone.sessions()
    expect(sessions).toHaveLength(2)
    expect(sessions.filter(({ current }) => current)).toHaveLength(1)
    expect(sessions[0]?.device).toContain("Chrome")
    const other = sessions.find(({ current }) => !current)!
    const revoke = "mutation($id: ID!) { revokeSession(id: $id) }"

    expect(await (await newcomer("mallory")).code(revoke, { id: other.id })).toBe("NOT_FOUND")
    expect(await laptop.isSignedIn()).toBeTrue()
    expect(await phone.code(revoke, { id: other.id })).toBeUndefined()
    expect(await laptop.code("{ sessions { id } }")).toBe("UNAUTHENTICATED")
    expect((await world.endedSessions()).map(({ id }) => id)).toContain(other.id)
  })

  test("may sign themselves out from the list, and lose their cookies", async () => {
    const device = await newcomer("kate")
    const [session] = await device.sessions()
    const revoke = "mutation($id: ID!) { revokeSession(id: $id) }"
    await device.ask(revoke, { id: session?.id })
    expect([...device.cookies.keys()]).toEqual(["parley_device"])
    expect((await world.endedSessions()).map(({ id }) => id)).toContain(session!.id)
    const other = await newcomer("leo")
    for (const id of ["", "unknown", '{"$gt":""}', "__proto__"]) {
      expect(await other.code(revoke, { id })).toBe("NOT_FOUND")
    }
  })

  test("signing out ends the session and takes the cookies away, and may be done twice", async () => {
    const device = await newcomer("jack")
    const { access } = device
    expect((await device.ask("mutation { signOut }")).data).toEqual({ signOut: true } as never)
    expect([...device.cookies.keys()]).toEqual(["parley_device"])
    expect(await device.code("{ sessions { id } }", {}, access)).toBe("UNAUTHENTICATED")
    expect((await device.ask("mutation { signOut }")).data).toEqual({ signOut: true } as never)
  })

  test("are asked for by name by a gateway that missed their ends", async () => {
    const [live, gone] = [await newcomer("liv"), await newcomer("gus")]
    const ids = [(await live.sessions())[0]!.id, (await gone.sessions())[0]!.id, "unknown"]
    await gone.ask("mutation { signOut }")
    const ask = (body: unknown, secret = SECRET) =>
      fetch(`${world.url}/internal/sessions`, {
        method: "POST",
        headers: { "content-type": "application/json", [SECRET_HEADER]: secret },
        body: JSON.stringify(body),
      })
    expect(await (await ask({ ids })).json()).toEqual({ ended: ids.slice(1) })
    expect((await ask({ ids }, "wrong")).status).toBe(403)
    for (const wrong of [{}, { ids: "a" }, { ids: [1] }, { ids: Array(1_001).fill("a") }, []]) {
      expect((await ask(wrong)).status).toBe(400)
    }
  })

  test("which sessions have ended is told to holders of the secret only", async () => {
    const response = await fetch(`${world.url}/internal/ended-sessions?after=0`)
    expect(response.status).toBe(403)
  })
})
