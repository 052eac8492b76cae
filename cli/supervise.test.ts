import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { supervise } from "./supervise.ts"

const folder = mkdtempSync(join(tmpdir(), "parley-supervise-"))
afterAll(() => rmSync(folder, { recursive: true }))

const timing = { first: 10, longest: 40, recovered: 60_000 }

/** A service that does what the code says, and the lines that were relayed of it and about it. */
function service(code: string) {
  const script = join(folder, `${Bun.randomUUIDv7()}.ts`)
  writeFileSync(script, code)
  const lines: string[] = []
  const relay = {
    line: (from: string, text: string) => void lines.push(`${from}: ${text}`),
    drained: async () => {},
  }
  const supervised = supervise({ name: "chat", script, environment: process.env }, relay, timing)
  return { supervised, lines }
}

async function until<T>(what: () => T | undefined | false): Promise<T> {
  for (;;) {
    const result = what()
    if (result) return result
    await Bun.sleep(5)
  }
}

const LISTENS = `process.stdout.write("listening 1\\n"); setInterval(() => {}, 1000)
process.on("SIGTERM", () => process.exit(0))`

test("what a service says is passed on, but for where it listens", async () => {
  const { supervised, lines } = service(`console.log("hello"); console.error("oh"); ${LISTENS}`)
  await supervised.listening
  await until(() => lines.length === 2)
  expect(lines.toSorted()).toEqual(["chat: hello", "chat: oh"])
  await supervised.stop()
  expect(supervised.pid).toBeUndefined()
})

test("a service that is killed is started again, after waits that double up to a bound", async () => {
  const { supervised, lines } = service(LISTENS)
  await supervised.listening
  for (let kills = 1; kills <= 4; kills += 1) {
    process.kill(await until(() => supervised.pid), "SIGKILL")
    await until(() => lines.length === kills)
  }
  expect(lines).toEqual(
    [10, 20, 40, 40].map(
      (ms) => `parley: chat was ended by SIGKILL; starting it again in ${ms} ms`,
    ),
  )
  await until(() => supervised.pid)
  await supervised.stop()
})

test("a service that gives up before it has ever listened is not started again", async () => {
  const { supervised } = service(`process.exit(1)`)
  expect(supervised.listening).rejects.toThrow("chat ended: status 1")
  await supervised.stop()
})

test("a stop during the wait for a restart starts nothing", async () => {
  const { supervised, lines } = service(`${LISTENS}; setTimeout(() => process.exit(3), 100)`)
  await until(() => lines.length > 0)
  await supervised.stop()
  expect(supervised.pid).toBeUndefined()
})

test("a service that does not stop is killed, with what it has started", async () => {
  const pidFile = join(folder, "grandchild")
  const { supervised } = service(
    `const child = Bun.spawn(["sleep", "1000"])
     await Bun.write(${JSON.stringify(pidFile)}, String(child.pid))
     process.on("SIGTERM", () => {})
     process.stdout.write("listening 1\\n")`,
  )
  await supervised.listening
  const stopped = supervised.stop()
  supervised.kill()
  await stopped
  const grandchild = Number(readFileSync(pidFile, "utf8"))
  await until(() => !isAlive(grandchild))
})

/** A process that has ended and waits to be collected is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}
