import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { keepRunning } from "./keep.ts"
import { startEngine } from "./process.ts"
import { isRunning, until } from "./test/until.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

let folder: string
let said: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-keep-test-"))
  said = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const TIMING = { first: 20, longest: 80, recovered: 60_000 }

async function start(script: string, timing = TIMING) {
  const engine = await startEngine({
    name: "The engine",
    command: ["/bin/sh", "-c", script],
    logFile: join(folder, "engine.log"),
  })
  return keepRunning(engine, { say: (line) => void said.push(line), timing })
}

test("an engine that ends by itself is started again, later each time, and stopped for good", async () => {
  const engine = await start("echo ready; exec sleep 1000")
  for (const _ of [1, 2, 3, 4]) {
    const { pid } = engine
    const before = said.length
    process.kill(pid, "SIGKILL")
    await until("it to serve again", () => said.length === before + 2)
    expect(engine.pid).not.toBe(pid)
    expect(isRunning(engine.pid)).toBe(true)
  }
  const waits = said.flatMap((line) => / in (\d+) ms$/.exec(line)?.[1] ?? [])
  expect(waits).toEqual(["20", "40", "80", "80"])
  expect(said[0]).toBe("The engine was ended by signal 9; starting it again in 20 ms")
  expect(said[1]).toBe("The engine serves again")
  const { pid } = engine
  await engine.stop()
  expect(isRunning(pid)).toBe(false)
  expect(said).toHaveLength(8)
})

test("an engine that does not come to serve is tried again", async () => {
  const broken = join(folder, "broken")
  const engine = await start(`[ -e ${broken} ] && exit 3; echo ready; exec sleep 1000`)
  writeFileSync(broken, "")
  process.kill(engine.pid, "SIGKILL")
  await until("a start fails", () => said.some((line) => line.includes("ended with status 3")))
  rmSync(broken)
  await until("it serves again", () => said.at(-1) === "The engine serves again")
  expect(isRunning(engine.pid)).toBe(true)
  await engine.stop()
})

test("a stop waits neither for the next start nor for one that is under way, and leaves nothing", async () => {
  const waiting = await start("echo ready; exec sleep 1000", { ...TIMING, first: 60_000 })
  process.kill(waiting.pid, "SIGKILL")
  await until("its end", () => said.length === 1)
  await waiting.stop()

  const [slow, pidFile] = [join(folder, "slow"), join(folder, "pid")]
  const engine = await start(
    `[ -e ${slow} ] && { echo $$ > ${pidFile}; exec sleep 1000; }; echo ready; exec sleep 1000`,
  )
  writeFileSync(slow, "")
  process.kill(engine.pid, "SIGKILL")
  await until("the next start", () => existsSync(pidFile))
  const pid = await writtenPid(pidFile)
  await engine.stop()
  await until("it to end", () => !isRunning(pid))
})

/** The pid that a script has written, whole. */
async function writtenPid(file: string): Promise<number> {
  let text = ""
  await until("the pid is written", async () => {
    text = await Bun.file(file).text()
    return text.endsWith("\n")
  })
  return Number(text)
}

test("a restart goes through its keeper", async () => {
  const engine = await start("echo ready; exec sleep 1000")
  const { pid } = engine
  await engine.restart()
  expect(engine.pid).not.toBe(pid)
  expect(isRunning(engine.pid)).toBe(true)
  await engine.stop()
})
