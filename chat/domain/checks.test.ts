import { describe, expect, test } from "bun:test"
import { messageId } from "../test/log-builder.ts"
import { checkCount, checkId, checkMessageId, checkText, checkTitle } from "./checks.ts"

const badInput = (field: string) =>
  expect.objectContaining({ code: "BAD_INPUT", details: { field } })
const thrown = (run: () => unknown): unknown => {
  try {
    return { returned: run() }
  } catch (error) {
    return error
  }
}

describe("a text", () => {
  test.each([
    "a",
    " ",
    "\n\t\r",
    "x".repeat(8_000),
    "𝒳".repeat(8_000),
    "👩‍👩‍👧‍👦",
    "﷽\u{202e}evil\u{2028}",
    `{"$gt":""}`,
    "__proto__",
    "\u{fffd}\u{ffff}\u{10ffff}\u{7f}\u{1}",
  ])("may be %p", (text) => {
    expect(checkText(text)).toBe(text)
  })

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["empty", ""],
    ["8,001 characters", "x".repeat(8_001)],
    ["8,001 characters outside the basic plane", "𝒳".repeat(8_001)],
    ["half a surrogate pair, the first", "a\ud83d"],
    ["half a surrogate pair, the second", "\ude00b"],
    ["a surrogate pair the wrong way round", "\ude00\ud83d"],
    ["a NUL", "a\0b"],
    ["16 MB", "x".repeat(16_000_000)],
  ])("may not be %s", (_what, text) => {
    expect(thrown(() => checkText(text))).toEqual(badInput("text"))
  })
})

describe("a title", () => {
  test("is trimmed and has 1 to 100 characters", () => {
    expect(checkTitle("  Friends \n")).toBe("Friends")
    expect(checkTitle("😀".repeat(100))).toBe("😀".repeat(100))
    for (const title of ["", "   ", "x".repeat(101), "a\0", "\ud83d"]) {
      expect(thrown(() => checkTitle(title))).toEqual(badInput("title"))
    }
  })

  test("is a line of which every character is to be seen", () => {
    expect(checkTitle("Family 👨‍👩‍👧\u3000２")).toBe("Family 👨‍👩‍👧 2")
    for (const title of ["\u202egnp.exe", "a\nb", "\u001b[2J", "\u200b", "\u3164", "\u2800"]) {
      expect(thrown(() => checkTitle(title))).toEqual(badInput("title"))
    }
  })
})

describe("a message's id", () => {
  const now = Date.UTC(2026, 0, 1)
  const day = 24 * 60 * 60 * 1000

  test("may be of any time up to a day ahead", () => {
    for (const at of [0, now - 400 * day, now, now + day]) {
      const id = messageId(at)
      expect(checkMessageId(id, now)).toBe(id)
    }
    for (const at of [now + day + 1, now + 2 * day, 2 ** 48 - 1]) {
      expect(thrown(() => checkMessageId(messageId(at), now))).toEqual(badInput("id"))
    }
  })

  const id = messageId(now)
  test.each([
    ["empty", ""],
    ["upper case", id.toUpperCase()],
    ["a UUIDv4", crypto.randomUUID()],
    ["without hyphens", id.replaceAll("-", "")],
    ["in braces", `{${id}}`],
    ["with a space after it", `${id} `],
    ["with a line break after it", `${id}\n`],
    ["of another variant", `${id.slice(0, 19)}c${id.slice(20)}`],
    ["an operator", `{"$gt":""}`],
    ["a prototype's key", "__proto__"],
  ])("may not be %s", (_what, id) => {
    expect(thrown(() => checkMessageId(id, now))).toEqual(badInput("id"))
  })
})

test("an id is short and plain", () => {
  for (const id of ["a", "__proto__", "constructor", "0190-7:x.y", "x".repeat(64)]) {
    expect(checkId(id, "user")).toBe(id)
  }
  for (const id of ["", "x".repeat(65), "a b", "a\n", "a\0", "é", `{"$gt":""}`, "a/b", "$where"]) {
    expect(thrown(() => checkId(id, "user"))).toEqual(badInput("user"))
  }
})

test("a count is a whole number within its bounds", () => {
  for (const count of [0, 1, 10]) expect(checkCount(count, "seq", 10)).toBe(count)
  const bad = [-1, 11, 0.5, Number.NaN, Infinity, 2 ** 53, null, "1", undefined] as number[]
  for (const count of bad)
    expect(thrown(() => checkCount(count, "seq", 10))).toEqual(badInput("seq"))
  expect(thrown(() => checkCount(0, "first", 10, 1))).toEqual(badInput("first"))
})
