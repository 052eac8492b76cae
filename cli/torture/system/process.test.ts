import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { manage } from "./process.ts"

test("a caller that waits for a process killed before it listens waits for the next one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-process-"))
  const auth = manage({
    ...{ kind: "auth", name: "auth", preload: [], logFile: join(folder, "log.txt") },
    environment: { ...process.env, PORT: "0", DATA_DIR: folder, LINK_SECRET: "x".repeat(32) },
  })
  const first = auth.pid
  const waiting = auth.listening()
  await auth.kill()
  await waiting
  expect(auth.pid).toBeDefined()
  expect(auth.pid).not.toBe(first)
  await auth.end()
  rmSync(folder, { recursive: true })
}, 30_000)
