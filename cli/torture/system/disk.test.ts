import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { until } from "@parley/testing/until.ts"
import { openDisk } from "./disk.ts"

setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), "parley-disk-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Adds 10 KB to a file every 10 ms, and says each time what came of it. */
const WRITE = `
const { appendFileSync } = require("node:fs")
setInterval(() => {
  try {
    appendFileSync(process.env.FILE, "x".repeat(10_000))
    console.log("fine")
  } catch (error) {
    console.log(error.code)
  }
}, 10)`

// Where this user may not mount, both are the second way.
test.each([
  ["a disk of its own", true],
  ["a limit to its files", false],
] as const)(
  "writes fail while the disk is full, and not before or after: %s",
  async (name, mayMount) => {
    let writer: number | undefined
    const disk = openDisk(join(folder, name), () => writer, { mayMount })
    const child = Bun.spawn(
      ["/bin/sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", process.execPath, "-e", WRITE],
      { env: { ...process.env, FILE: join(disk.folder, "file") }, stdout: "pipe" },
    )
    writer = child.pid
    let last = ""
    const reading = (async () => {
      for await (const chunk of child.stdout) {
        last = new TextDecoder().decode(chunk).trim().split("\n").at(-1)!
      }
    })()
    try {
      await until(() => last === "fine", "a write")
      disk.fill()
      await until(() => /^(ENOSPC|EFBIG)$/.test(last), "a write that fails")
      disk.free()
      await until(() => last === "fine", "a write, again")
    } finally {
      child.kill()
      await reading
      await disk.stop()
    }
    expect(disk.how).toMatch(mayMount ? /full|limit/ : /limit/)
  },
)
