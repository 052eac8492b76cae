import { describe, expect, test } from "bun:test"
import {
  badInput,
  ERROR_CODES,
  type ErrorCode,
  isErrorCode,
  notFound,
  ParleyError,
  unauthenticated,
  unavailable,
} from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { buildSchema, execute, GraphQLError, parse } from "graphql"
import { publicResult } from "./graphql-errors.ts"

/** What the log was told, by level. */
function createWatch() {
  const told: [string, string][] = []
  const at = (level: string) => (event: string) => void told.push([level, event])
  const levels = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
  const log: Logger = { debugs: true, ...levels }
  return { told, log }
}

const schema = buildSchema(`
  input Range { from: Int!, to: [Int!] }
  type Query { value(range: Range, size: Int! = 3): String, must: String! }
`)

async function ask(
  thrown: unknown,
  query = "{ value }",
  variableValues: Record<string, unknown> = {},
) {
  const { told, log } = createWatch()
  const fail = () => {
    throw thrown
  }
  const rootValue = { value: fail, must: fail }
  const result = await execute({ schema, document: parse(query), rootValue, variableValues })
  const shown = publicResult(result, log)
  return { told, shown, wire: JSON.parse(JSON.stringify(shown)) }
}

describe("an error that leaves the process", () => {
  test("is a refusal as it was meant: code, retryable and details", async () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const details = code === "RATE_LIMITED" ? { retryAfterMs: 500 } : { field: "value" }
      const { wire } = await ask(new ParleyError(code, "A sentence.", details))
      expect(wire.errors).toEqual([
        {
          message: "A sentence.",
          locations: [{ line: 1, column: 3 }],
          path: ["value"],
          extensions: { code, retryable: ERROR_CODES[code].retryable, ...details },
        },
      ])
    }
  })

  test.each([
    [
      "an error of a driver",
      Object.assign(new Error("SQLITE_IOERR at /secret/path"), { code: "SQLITE_IOERR" }),
    ],
    [
      "an error that calls itself by our codes",
      Object.assign(new Error("secret"), { code: "NOT_FOUND" }),
    ],
    ["a defect", new TypeError("secret is undefined")],
    ["a thrown text", "secret"],
    ["a thrown object", { secret: true }],
    ["nothing", undefined],
    ["an error of the language, thrown by a resolver", new GraphQLError("secret")],
    [
      "such an error with another one inside",
      new GraphQLError("secret", { originalError: new Error("secret") }),
    ],
  ])("is masked as INTERNAL, and logged, where it is %s", async (_what, thrown) => {
    const { wire, told } = await ask(thrown)
    expect(wire.errors).toMatchObject([
      {
        message: "Something went wrong on our side.",
        path: ["value"],
        extensions: { code: "INTERNAL", retryable: false },
      },
    ])
    expect(JSON.stringify(wire)).not.toMatch(/secret|stack/)
    expect(told).toEqual([["error", "internal error"]])
  })

  test("keeps its cause to itself", async () => {
    const { wire, told } = await ask(unavailable("Not just now.", new Error("secret")))
    expect(JSON.stringify(wire)).not.toContain("secret")
    expect(wire.errors[0].extensions).toEqual({ code: "UNAVAILABLE", retryable: true })
    expect(told).toEqual([["warn", "unavailable"]])
  })

  test("is shown beside the data that there is, and instead of what cannot be without it", async () => {
    expect((await ask(notFound("thing"))).wire.data).toEqual({ value: null })
    expect((await ask(notFound("thing"), "{ must }")).wire.data).toBeNull()
    const { log } = createWatch()
    const fine = { data: { value: "x" } }
    expect(publicResult(fine, log)).toBe(fine)
  })

  test.each([
    ["query ($range: Range) { value(range: $range) }", { range: { from: "x" } }, "range.from"],
    [
      "query ($range: Range) { value(range: $range) }",
      { range: { from: 1, to: [1, "x"] } },
      "range.to[1]",
    ],
    ["query ($range: Range) { value(range: $range) }", { range: { to: [] } }, "from"],
    ["query ($range: Range) { value(range: $range) }", { range: { from: 1, more: 2 } }, "more"],
    ["query ($range: Range) { value(range: $range) }", { range: 7 }, "range"],
    ["query ($size: Int!) { value(size: $size) }", {}, "size"],
    ["query ($n: Int = 1) { value(size: $n) }", { n: null }, "size"],
    ["query ($n: Int!) { value(size: $n) }", { n: 2 ** 40 }, "n"],
  ])("is BAD_INPUT with the field at fault: %s with %p", async (query, variables, field) => {
    const { wire, told } = await ask(new Error("not reached"), query, variables)
    expect(wire.errors).toMatchObject([
      { extensions: { code: "BAD_INPUT", retryable: false, field } },
    ])
    expect(told).toEqual([])
  })
})

test("the codes are a closed list", () => {
  expect(Object.keys(ERROR_CODES).sort()).toEqual([
    ...["BAD_INPUT", "CONFLICT", "FORBIDDEN", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"],
    ...["INTERNAL", "NOT_FOUND", "RATE_LIMITED", "TOO_LARGE", "UNAUTHENTICATED", "UNAVAILABLE"],
  ])
  for (const code of [
    "toString",
    "__proto__",
    "constructor",
    "",
    "not_found",
    7,
    null,
    undefined,
  ]) {
    expect(isErrorCode(code)).toBe(false)
  }
  expect(badInput("seq", "No.").extensions).toEqual({
    code: "BAD_INPUT",
    retryable: false,
    field: "seq",
  })
  expect(unauthenticated().extensions).toEqual({ code: "UNAUTHENTICATED", retryable: false })
})
