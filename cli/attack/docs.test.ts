import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { inRoot } from "../../platform/machine/root.ts"
import { ATTACKS } from "./catalogue.ts"
import { composeLimit } from "./cgroups.ts"
import { SERVICES } from "./system.ts"
import { CACHES } from "./verdict.ts"

const page = readFileSync(inRoot("docs/security.md"), "utf8")
const MIB = 2 ** 20

test("the page has every class of attacks with what is expected, and none besides", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$/gm)]
  expect(
    rows.map(([, name, by, with_, expected]) => ({ name, by, with: with_, expected })),
  ).toEqual(
    ATTACKS.map(({ name, by, with: with_, expected }) => ({
      name,
      by,
      with: with_,
      expected,
    })) as never,
  )
})

test("every class is tried in three variants at least, whose names differ", () => {
  for (const { name, variants } of ATTACKS) {
    const names = new Set(variants.map((variant) => variant.name))
    expect([name, names.size]).toEqual([name, variants.length])
    expect([name, names.size >= 3]).toEqual([name, true])
  }
})

test("the page has each service's limit of memory and the sum of its caches, which fits in", () => {
  for (const service of SERVICES) {
    const limit = composeLimit(service) / MIB
    const caches = CACHES[service] / MIB
    expect(page).toContain(`| ${service} | ${limit} MiB | ${caches} MiB |`)
    expect([service, caches <= limit / 2]).toEqual([service, true])
  }
})
