import { describe, expect, test } from "bun:test"
import { safeNext, withNext } from "./next.ts"

describe("where to go after signing in", () => {
  test("the path of this site that was asked for", () => {
    for (const path of ["/", "/c/01975f3e-aaaa-7bbb-8ccc-ddddeeeeffff", "/c/x?y=1", "/c/a%2Fb"]) {
      expect(safeNext(path)).toBe(path)
    }
  })

  test("never another site, nor a script", () => {
    const bad = [
      ...["//host", "///host", "/\\host", "\\/host", "\\\\host", "https://host", "https:host"],
      ...[
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "/\t/host",
        "/\n/host",
      ],
      ...[
        "/\u0000/host",
        "/c/..//host",
        "/.//host",
        "/%2e//host",
        "/x/..\\\\host",
        "c/x",
        "",
        "?x",
        "#x",
      ],
      ...[undefined, null, 7, ["/c/x", "//host"], `/${"x".repeat(2_000)}`],
      ...["/sign-in", "/sign-in?next=/sign-in", "/sign-up"],
    ]
    for (const given of bad) expect(safeNext(given)).toBe("/")
    // What is left is a path of this site, however it is written.
    for (const given of ["/@host", "/c/%5C%5Chost", "/%09/host", "/:80/x"]) {
      expect(new URL(safeNext(given), "https://here.example").origin).toBe("https://here.example")
    }
  })

  test("goes along to the other page", () => {
    expect(withNext("/sign-in", "/")).toBe("/sign-in")
    expect(withNext("/sign-up", "/c/x")).toBe("/sign-up?next=%2Fc%2Fx")
  })
})
