import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startEngine } from "./process.ts"
import { isRunning, until } from "./test/until.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-process-test-"))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const options = (script: string) => ({
  name: "The engine",
  command: ["/bin/sh", "-c", script],
  logFile: join(folder, "engine.log"),
})

const SERVES = "echo ready; exec sleep 1000"

test("is killed, started anew under another pid, and stopped", async () => {
  const engine = await startEngine(options(SERVES))
  const first = engine.pid
  await engine.kill()
  expect(isRunning(first)).toBe(false)
  await engine.restart()
  const second = engine.pid
  expect(second).not.toBe(first)
  expect(isRunning(second)).toBe(true)
  await engine.restart()
  expect(isRunning(second)).toBe(false)
  await engine.stop()
  expect(isRunning(engine.pid)).toBe(false)
  await engine.stop()
})

test("hears of a stop, so that it can end well, and not of a kill", async () => {
  const told = join(folder, "told")
  const engine = await startEngine(
    options(`trap "echo stop >> ${told}; exit" TERM; echo ready; while :; do sleep 0.02; done`),
  )
  await engine.kill()
  expect(existsSync(told)).toBe(false)
  await engine.restart()
  await engine.stop()
  expect(existsSync(told)).toBe(true)
})

test("is stopped while it is frozen", async () => {
  const engine = await startEngine(options(SERVES))
  engine.freeze()
  await engine.stop()
  expect(isRunning(engine.pid)).toBe(false)
})

test("says how one ended that does not come to serve, and what it logged", async () => {
  const starting = startEngine(options("echo 'no room on the disk' >&2; exit 7"))
  expect(starting).rejects.toThrow(
    /^The engine ended with status 7; its log ends so:\nno room on the disk$/,
  )
})

/** A process of its own that starts an engine, says the engine's pid, and is killed. */
async function killParentOf(frozen: boolean): Promise<number> {
  const given = { ...options(SERVES), scratch: join(folder, "scratch") }
  const code = `
    import { startEngine } from ${JSON.stringify(join(import.meta.dir, "process.ts"))}
    const engine = await startEngine(${JSON.stringify(given)})
    if (${frozen}) engine.freeze()
    console.log(engine.pid)
    await new Promise(() => setInterval(() => {}, 1000))
  `
  const parent = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" })
  const { value } = await parent.stdout.getReader().read()
  const pid = Number(new TextDecoder().decode(value))
  expect(isRunning(pid)).toBe(true)
  parent.kill("SIGKILL")
  return pid
}

test.each([false, true])(
  "ends with the process that started it, also where that is killed (frozen: %p)",
  async (frozen) => {
    const scratch = join(folder, "scratch")
    mkdirSync(scratch)
    const pid = await killParentOf(frozen)
    await until("the engine is gone", () => !isRunning(pid))
    await until("its scratch folder is gone", () => !existsSync(scratch))
  },
)
