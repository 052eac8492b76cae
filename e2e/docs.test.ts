import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { inRoot, ROOT } from "../platform/machine/root.ts"

const pages = ["*.md", "docs/*.md", "docs/adr/*.md"].flatMap((of) => [
  ...new Bun.Glob(of).scanSync(ROOT),
])
const read = (page: string) => Bun.file(inRoot(page)).text()

/** The top folders of the source: a path that begins with one of them is a path of this repository. */
const SOURCE =
  /^(auth|chat|gateway|web|link|platform|cli|engines|testing|e2e|docs|patches)\/[\w./-]*$/
/** Folders that the build, a bench and a torture run make. */
const MADE = /^(web\/\.next|cli\/(bench|torture)\/results)(\/|$)/

/** Targets of the page's relative links, without their anchors. */
const linksIn = (text: string) =>
  [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))

/** Paths of this repository that the page has in backticks. */
const pathsIn = (text: string) =>
  [...text.matchAll(/`([^`\s]+)`/g)]
    .map(([, path]) => path!)
    .filter((path) => SOURCE.test(path) && !MADE.test(path))

test("every relative link of the docs leads to a file", async () => {
  const dead: string[] = []
  for (const page of pages) {
    for (const target of linksIn(await read(page))) {
      if (!existsSync(inRoot(join(dirname(page), target)))) dead.push(`${page}: ${target}`)
    }
  }
  expect(dead).toEqual([])
})

test("every path that the docs name is in the tree", async () => {
  const dead: string[] = []
  for (const page of pages) {
    for (const path of pathsIn(await read(page))) {
      if (!existsSync(inRoot(path))) dead.push(`${page}: ${path}`)
    }
  }
  expect(dead).toEqual([])
})

test("README.md links every page of docs/, and docs/adr/README.md every decision", async () => {
  expect(pages.length).toBeGreaterThan(50)
  const readme = linksIn(await read("README.md"))
  const decisions = linksIn(await read("docs/adr/README.md"))
  for (const page of pages) {
    if (/^docs\/[^/]+$/.test(page)) expect(readme).toContain(page)
    const decision = /^docs\/adr\/(\d.*)$/.exec(page)?.[1]
    if (decision) expect(decisions).toContain(decision)
  }
})

test("a dead link and a dead path are found", () => {
  expect(linksIn("[a](b.md#c) and [d](https://e.f)")).toEqual(["b.md"])
  expect(pathsIn("`chat/gone.ts`, `web/.next/x`, `application/json`")).toEqual(["chat/gone.ts"])
})
