import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { NextRequest } from "next/server"
import { renewedCookies } from "./renew.ts"
import { contentPolicy } from "./security.ts"

/** A gateway that renews whatever comes with the refresh cookie `good`. */
const asked: Request[] = []
const gateway = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    asked.push(request)
    const headers = new Headers({ "content-type": "application/json" })
    if (!/parley_refresh=good/.test(request.headers.get("cookie") ?? "")) {
      return Response.json({ errors: [{ message: "Sign in again." }] })
    }
    headers.append("set-cookie", "parley_access=fresh; Path=/; HttpOnly; Max-Age=600")
    headers.append("set-cookie", "parley_refresh=better; Path=/; HttpOnly; Max-Age=2592000")
    return new Response('{"data":{"refreshSession":{"id":"u1"}}}', { headers })
  },
})
afterAll(() => gateway.stop(true))
beforeEach(() => {
  asked.length = 0
})

const config = { gatewayUrl: gateway.url, publicUrl: new URL("http://localhost:4000") }
const page = (cookie: string) =>
  new NextRequest("http://localhost:4000/c/1", { headers: { cookie, "user-agent": "Test" } })
const tokenUntil = (ms: number) =>
  `h.${Buffer.from(JSON.stringify({ exp: Math.floor(ms / 1000) })).toString("base64url")}.s`

describe("a page without a fresh access token", () => {
  test("has the session renewed, for itself and for the browser", async () => {
    const renewed = await renewedCookies(
      page("parley_tz=Europe/Zurich; parley_refresh=good"),
      config,
    )
    expect(renewed?.cookie).toBe(
      "parley_tz=Europe/Zurich; parley_refresh=better; parley_access=fresh",
    )
    expect(renewed?.setCookies).toHaveLength(2)
    expect(asked[0]?.headers.get("user-agent")).toBe("Test")
  })

  test("has it renewed as well where the token is about to run out", async () => {
    const soon = `parley_access=${tokenUntil(Date.now() + 2_000)}; parley_refresh=good`
    expect(await renewedCookies(page(soon), config)).toBeDefined()
    const later = `parley_access=${tokenUntil(Date.now() + 60_000)}; parley_refresh=good`
    expect(await renewedCookies(page(later), config)).toBeUndefined()
  })

  test("asks nobody where there is nothing to renew, and bears a refusal and a dead gateway", async () => {
    expect(await renewedCookies(page(""), config)).toBeUndefined()
    expect(asked).toHaveLength(0)
    expect(await renewedCookies(page("parley_refresh=bad"), config)).toBeUndefined()
    const dead = { ...config, gatewayUrl: new URL("http://127.0.0.1:1") }
    expect(await renewedCookies(page("parley_refresh=good"), dead)).toBeUndefined()
  })

  test("looks for the __Host- cookies under https only", async () => {
    const https = { ...config, publicUrl: new URL("https://parley.example") }
    expect(await renewedCookies(page("parley_refresh=good"), https)).toBeUndefined()
    await renewedCookies(page("__Host-parley_refresh=x"), https)
    expect(asked).toHaveLength(1)
  })
})

test("the content policy allows our own origin, the nonce, and nothing else", () => {
  const policy = contentPolicy("abc", { publicUrl: new URL("https://parley.example") })
  expect(policy).toContain("script-src 'self' 'nonce-abc' 'strict-dynamic'")
  expect(policy).toContain("connect-src 'self' wss://parley.example")
  expect(policy).not.toMatch(/unsafe|\*|http:/)
})
