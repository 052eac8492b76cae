import { describe, expect, test } from "bun:test"
import { isolated, shownName } from "./names.ts"

describe("a name that is shown", () => {
  test("stays as it is where it is one", () => {
    for (const name of [
      "Alice",
      "Zoë O’Neil-Ó",
      "محمد",
      "נועה",
      "李小龍",
      "👩‍👩‍👧 family",
      "नमस्ते",
    ]) {
      expect(shownName(name)).toBe(name)
    }
  })

  test("turns nothing around it and breaks no line", () => {
    expect(shownName("evil\u202egnp.exe")).toBe("evilgnp.exe")
    expect(shownName("\u2066a\u2069\u200f\u061cb")).toBe("ab")
    expect(shownName("two\r\nlines\u2028and\u0085three\u001b[31m")).toBe("two lines and three [31m")
  })

  test("is none where nothing of it would be seen", () => {
    for (const name of ["", "  ", "\u200b\u200d", "\u3164", "\u2800\u00ad", "\u202e\u0000"]) {
      expect(shownName(name)).toBe("")
    }
  })

  test("is isolated in a sentence only where it runs the other way", () => {
    expect(isolated("Alice")).toBe("Alice")
    expect(isolated("נועה")).toBe("\u2068נועה\u2069")
  })
})
