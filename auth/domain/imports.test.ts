import { expect, test } from "bun:test"

const ALLOWED = [
  // Its own files and limits, and what is common to all platforms but knows no GraphQL.
  /^\.\/[\w-]+\.(ts|txt)$/,
  /^@parley\/platform\/(address-group|clock|errors|ids|names|token-bucket|tokens)\.ts$/,
  /^jose$/,
  /^\.\.\/limits\.ts$/,
  /^node:(crypto|net)$/,
]

test("the domain imports no driver and no GraphQL, and of the store only its types", async () => {
  const files = [...new Bun.Glob("*.ts").scanSync(import.meta.dir)].filter(
    (file) => !file.endsWith(".test.ts"),
  )
  expect(files.length).toBeGreaterThan(10)
  for (const file of files) {
    const text = await Bun.file(`${import.meta.dir}/${file}`).text()
    for (const [, kind, from = ""] of text.matchAll(/^import (type )?[^"]*from "([^"]+)"/gms)) {
      const port = kind !== undefined && from === "../store/store.ts"
      const allowed = port || ALLOWED.some((pattern) => pattern.test(from))
      expect(`${file} imports ${from}: ${allowed}`).toBe(`${file} imports ${from}: true`)
    }
  }
})
