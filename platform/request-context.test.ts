import { expect, test } from "bun:test"
import { type LogFields, silentLogger } from "./log.ts"
import { logFor, readRequestContext } from "./request-context.ts"

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

test("a cause is read as the gateway writes it", () => {
  expect(readRequestContext("a1b2c3d4-7", undefined)).toEqual({ requestId: "a1b2c3d4-7" })
  expect(readRequestContext("a1b2c3d4-7", TRACEPARENT)).toEqual({
    requestId: "a1b2c3d4-7",
    traceparent: TRACEPARENT,
  })
})

test.each([undefined, null, "", "two words", "a\nline", "x".repeat(65)])(
  "%p names no request",
  (given) => {
    expect(readRequestContext(given, TRACEPARENT)).toBeUndefined()
  },
)

test.each([
  null,
  "",
  "nonsense",
  TRACEPARENT.toUpperCase(),
  TRACEPARENT.replace(/^00/, "ff"),
  TRACEPARENT.replace(/-[0-9a-f]{32}-/, `-${"0".repeat(32)}-`),
  TRACEPARENT.replace(/-[0-9a-f]{16}-/, `-${"0".repeat(16)}-`),
  `${TRACEPARENT}-more`,
])("%p is no place in a trace, and the request is known all the same", (given) => {
  expect(readRequestContext("a1b2c3d4-7", given)).toEqual({ requestId: "a1b2c3d4-7" })
})

test("what is said about a request names it", () => {
  const said: [string, LogFields | undefined][] = []
  const log = {
    ...silentLogger,
    warn: (event: string, fields?: LogFields) => said.push([event, fields]),
  }
  logFor(log, { requestId: "a1-2", traceparent: TRACEPARENT }).warn("unavailable", { path: ["a"] })
  expect(said).toEqual([["unavailable", { requestId: "a1-2", path: ["a"] }]])
  expect(logFor(log, undefined)).toBe(log)
})
