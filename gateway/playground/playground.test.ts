import { expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silentLogger } from "@parley/platform/log.ts"
import { createPlayground } from "./playground.ts"

test("what was bundled beforehand is served as it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-playground-"))
  writeFileSync(join(folder, "playground.js"), "// bundled beforehand")
  const playground = createPlayground(silentLogger, folder)
  expect((await playground.page()).status).toBe(200)
  expect(await (await playground.asset("playground.js")).text()).toBe("// bundled beforehand")
  expect((await playground.asset("../playground.js")).status).toBe(404)
  rmSync(folder, { recursive: true })
})
