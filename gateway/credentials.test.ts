import { expect, test } from "bun:test"
import { cookieNames, readCredentials } from "./credentials.ts"
import { MAX_DEVICE_COOKIE_LENGTH } from "./limits.ts"

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
