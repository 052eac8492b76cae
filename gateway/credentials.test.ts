import { expect, test } from "bun:test"
import { MAX_TOKEN_LENGTH } from "@parley/platform/tokens.ts"
import { bearerToken, cookieNames, readCredentials, readUserAgent } from "./credentials.ts"
import { MAX_DEVICE_COOKIE_LENGTH, MAX_USER_AGENT_LENGTH } from "./limits.ts"

test("the device cookie is read by its name under http and https, and as far as auth's are long", () => {
  const device = (cookie: string, publicUrl = "http://localhost:4000") =>
    readCredentials(new Headers({ cookie }), cookieNames(publicUrl)).device
  expect(device("a=b; parley_device=x.y.z")).toBe("x.y.z")
  expect(device("__Host-parley_device=x.y.z", "https://chat.example.org")).toBe("x.y.z")
  // Another site on the same domain can set one without the prefix.
  expect(device("parley_device=x.y.z", "https://chat.example.org")).toBeUndefined()
  expect(device("parley_device=")).toBeUndefined()
  expect(device(`parley_device=${"x".repeat(MAX_DEVICE_COOKIE_LENGTH)}`)).toBeDefined()
  expect(device(`parley_device=${"x".repeat(MAX_DEVICE_COOKIE_LENGTH + 1)}`)).toBeUndefined()
})

test("a bearer token is taken as far as auth's are long, whatever is around it", () => {
  const token = "x".repeat(MAX_TOKEN_LENGTH)
  expect(bearerToken(`Bearer ${token}`)).toBe(token)
  expect(bearerToken(`Bearer ${token}x`)).toBe("")
  expect(bearerToken(`Bearer ${" ".repeat(100_000)}x`)).toBe("")
  expect(bearerToken("Basic x")).toBe("")
  expect(bearerToken(undefined)).toBeUndefined()
})

test("what a client calls itself is taken as far as browsers go", () => {
  const named = (name: string) => readUserAgent(new Headers({ "user-agent": name }))
  expect(named("Mozilla/5.0 (X11)")).toBe("Mozilla/5.0 (X11)")
  expect(named("é".repeat(15_000))).toBe("é".repeat(MAX_USER_AGENT_LENGTH))
  expect(readUserAgent(new Headers())).toBe("")
})
