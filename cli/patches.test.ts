import { expect, test } from "bun:test"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inRoot, ROOT } from "../platform/machine/root.ts"
import { missingPatches } from "./patches.ts"

test("the packages of this clone have every patch", () => {
  expect(readdirSync(inRoot("patches")).length).toBeGreaterThan(0)
  expect(missingPatches(ROOT)).toEqual([])
})

test("a package without its patch is named, whether it is as published or not there at all", async () => {
  const root = mkdtempSync(join(tmpdir(), "parley-patches-"))
  try {
    cpSync(inRoot("patches"), join(root, "patches"), { recursive: true })
    expect(missingPatches(root).toSorted()).toEqual(readdirSync(join(root, "patches")).toSorted())

    const file = "src/network/requestQueue/index.js"
    mkdirSync(join(root, "node_modules/kafkajs/src/network/requestQueue"), { recursive: true })
    cpSync(inRoot("node_modules/kafkajs"), join(root, "node_modules/kafkajs"), { recursive: true })
    const isKafka = (name: string) => name.startsWith("kafkajs@")
    expect(missingPatches(root).some(isKafka)).toBe(false)

    const patched = await Bun.file(join(root, "node_modules/kafkajs", file)).text()
    await Bun.write(
      join(root, "node_modules/kafkajs", file),
      patched.replace("} else if (scheduleAt <= 0) {", "} else if (false) {"),
    )
    expect(missingPatches(root).some(isKafka)).toBe(true)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
