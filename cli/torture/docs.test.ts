import { expect, test } from "bun:test"
import { inRoot } from "../../platform/machine/root.ts"
import { BUGS } from "./bugs/catalogue.ts"
import { PROPERTIES } from "./checker/check.ts"

const page = await Bun.file(inRoot("docs/torture.md")).text()
const PROPERTY = /^\| `(\w+)` \| (.*) \|$/gm
const BUG = /^\| ([^`|]+?) \| [^|]+ \| (`.*`) \|$/gm

test("the page has every property with its definition, and none besides", () => {
  const written = [...page.matchAll(PROPERTY)].map(([, name, definition]) => ({ name, definition }))
  expect<unknown>(written).toEqual(PROPERTIES.map(({ name, definition }) => ({ name, definition })))
})

test("the page has every planted bug with what catches it, and none besides", () => {
  const written = [...page.matchAll(BUG)].map(([, name, caughtBy]) => ({ name, caughtBy }))
  expect<unknown>(written).toEqual(
    BUGS.map(({ name, caughtBy }) => ({
      name,
      caughtBy: caughtBy.map((property) => `\`${property}\``).join(", "),
    })),
  )
})
