import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as v from "valibot"
import {
  ConfigError,
  type Environment,
  linkSecret,
  logLevel,
  port,
  readConfig,
  requireBothEngines,
  url,
  urls,
} from "./config.ts"

const Variables = v.object({
  PORT: v.optional(port, "4000"),
  AUTH_URL: url,
  LINK_SECRET: linkSecret,
  LOG_LEVEL: v.optional(logLevel, "info"),
})
const good = { AUTH_URL: "http://127.0.0.1:4001", LINK_SECRET: "x".repeat(32) }
const read = (changes: Environment) => readConfig(Variables, { ...good, ...changes })
const sentence = (changes: Environment) => {
  try {
    return `accepted ${JSON.stringify(read(changes))}`
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
}

test("a config is typed, with the defaults of what is unset or empty, and without what it does not know", () => {
  const expected = { PORT: 4000, ...good, LOG_LEVEL: "info" as const }
  expect(read({ HOME: "/home/alice" })).toEqual(expected)
  expect(read({ PORT: "", LOG_LEVEL: undefined })).toEqual(expected)
  expect(read({ PORT: "0", LOG_LEVEL: "debug" })).toMatchObject({ PORT: 0, LOG_LEVEL: "debug" })
})

describe("a setting that cannot be used is one sentence that names it and says why", () => {
  test.each([
    [{ AUTH_URL: undefined }, "AUTH_URL is missing."],
    [{ LINK_SECRET: "" }, "LINK_SECRET is missing."],
    [{ LINK_SECRET: "short" }, "LINK_SECRET cannot be used: it must have 32 characters or more."],
    [
      { AUTH_URL: "localhost" },
      "AUTH_URL cannot be used: it must be a URL such as http://127.0.0.1:4001.",
    ],
    [
      { AUTH_URL: "localhost:4001" },
      "AUTH_URL cannot be used: it must be a URL such as http://127.0.0.1:4001.",
    ],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL cannot be used: it must be debug, info, warn or error."],
    ...["-1", "65536", "4000.5", "0x10", "port", " 4000", "1e3"].map(
      (PORT) =>
        [{ PORT }, "PORT cannot be used: it must be a port number from 0 to 65535."] as const,
    ),
  ] as [Environment, string][])("%p", (changes, message) => {
    expect(sentence(changes)).toBe(message)
  })

  test("and never shows a secret", () => {
    expect(sentence({ LINK_SECRET: "hush" })).not.toContain("hush")
  })
})

describe("several processes of one service are named in one variable", () => {
  const list = (URLS: string) => readConfig(v.object({ URLS: urls }), { URLS }).URLS

  test("separated by commas, each once, in their order", () => {
    expect(list("http://a:4001")).toEqual(["http://a:4001"])
    expect(list("http://b:1, http://a:1 ,http://b:1")).toEqual(["http://b:1", "http://a:1"])
  })

  test.each([",", "http://a:1,", "http://a:1;b", "a:1 b:2", "http://a:1,nowhere"])(
    "and not as %j",
    (given) => {
      expect(() => list(given)).toThrow(
        /^URLS cannot be used: it must be URLs such as http:\/\/.*\.$/,
      )
    },
  )
})

describe("a secret may be kept in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-secret-"))
  const LINK_SECRET_FILE = join(folder, "link-secret")
  const kept = (text: string) => writeFileSync(LINK_SECRET_FILE, text)
  afterAll(() => rmSync(folder, { recursive: true }))

  test("and is read from there, without the line's end", () => {
    kept(`${"y".repeat(40)}\n`)
    const { LINK_SECRET } = read({ LINK_SECRET: undefined, LINK_SECRET_FILE })
    expect(LINK_SECRET).toBe("y".repeat(40))
    kept("hush")
    expect(sentence({ LINK_SECRET: "", LINK_SECRET_FILE })).toBe(
      "LINK_SECRET cannot be used: it must have 32 characters or more.",
    )
  })

  test("but not in two places, nor where it cannot be read", () => {
    expect(sentence({ LINK_SECRET_FILE })).toBe(
      "LINK_SECRET and LINK_SECRET_FILE are both set: leave one of them unset.",
    )
    expect(sentence({ LINK_SECRET: "", LINK_SECRET_FILE: "/nowhere" })).toBe(
      "LINK_SECRET_FILE cannot be used: /nowhere cannot be read (ENOENT).",
    )
  })

  test("and a service that needs no secret does not read it", () => {
    expect(readConfig(v.object({}), { LINK_SECRET_FILE: "/nowhere" })).toEqual({})
  })
})

test("the engines of a cluster are set both or not at all", () => {
  requireBothEngines({})
  requireBothEngines({ MONGODB_URL: "m", KAFKA_BROKERS: "k" })
  expect(() => requireBothEngines({ MONGODB_URL: "m" })).toThrow(
    /^MONGODB_URL is set and KAFKA_BROKERS is not: set both [^\n]+\.$/,
  )
  expect(() => requireBothEngines({ KAFKA_BROKERS: ["k"] })).toThrow(
    /^KAFKA_BROKERS is set and MONGODB_URL is not: set both [^\n]+\.$/,
  )
})
