import { describe, expect, test } from "bun:test"
import { isValidElement, type ReactElement, type ReactNode } from "react"
import { isEmojiOnly, linkify } from "./linkify.tsx"

const linksIn = (parts: ReactNode[]) =>
  parts.filter(isValidElement).map((link) => (link as ReactElement<{ href: string }>).props.href)

describe("links in messages", () => {
  test.each([
    ["See https://example.org/a?b=c.", ["https://example.org/a?b=c"]],
    ["(https://en.wikipedia.org/wiki/Parley_(x))", ["https://en.wikipedia.org/wiki/Parley_(x)"]],
    ["http://a.example and https://b.example!", ["http://a.example", "https://b.example"]],
    ["javascript:alert(1) data:text/html,x file:///etc", []],
    ['<a href="https://x.example">', ["https://x.example"]],
    ["nothing", []],
  ])("%s", (text, expected) => {
    expect(linksIn(linkify(text))).toEqual(expected)
  })

  test("lose no character of the text", () => {
    const text = "a https://x.example/, b (http://y.example) c"
    const flat = linkify(text).map((part) =>
      isValidElement<{ children: string }>(part) ? part.props.children : part,
    )
    expect(flat.join("")).toBe(text)
  })
})

test("only emoji are drawn large", () => {
  expect(["👍", "❤️", "👨‍👩‍👧 🎉", "🇨🇭"].every(isEmojiOnly)).toBe(true)
  expect(["1", "ok 👍", "👍👍👍👍", ""].some(isEmojiOnly)).toBe(false)
})
