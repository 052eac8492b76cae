import { describe, expect, test } from "bun:test"
import { PROPERTIES } from "../checker/check.ts"
import { BUGS } from "./catalogue.ts"
import { patched } from "./patched.ts"

describe.each(BUGS.map((bug) => [bug.name, bug] as const))("%s", (_, bug) => {
  test("can be planted in the services as they are", () => {
    const all = [bug.patches.embedded, bug.patches.cluster].filter((patches) => patches)
    expect(all.length).toBeGreaterThan(0)
    for (const patches of all) {
      for (const source of patched(patches!).values()) {
        expect(() => new Bun.Transpiler({ loader: "ts" }).transformSync(source)).not.toThrow()
      }
    }
  })

  test("is to be caught by properties that there are", () => {
    const names = PROPERTIES.map(({ name }) => name)
    expect(bug.caughtBy.filter((name) => !names.includes(name))).toEqual([])
  })
})

test("a place that is not there, or not once, is told instead of patched", () => {
  const file = "cli/torture/bugs/bug.ts"
  const patch = (find: string) => () => patched([{ file, find, replace: "" }])
  expect(patch("no such thing, indeed")).toThrow(`${file} has «no such thing, indeed» 0 times`)
  expect(patch("string")).toThrow(/ times instead of once$/)
})
