import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { until } from "@parley/testing/until.ts"
import { createClock, fakeTimeLibrary } from "./clock.ts"

// A clock follows its file within a second.
setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), "parley-clock-"))
afterAll(() => rmSync(folder, { recursive: true }))

const HOUR = 60 * 60_000

/** A process that says every 50 ms what time it is: by `Date.now`, by `new Date`, and since its start. */
const TELL = `setInterval(() => console.log(Date.now(), new Date().getTime(), performance.now()), 50)`

// Where the machine has no libfaketime, the stand-in is tried twice.
test.each([
  ["the stand-in", undefined],
  ["what this machine has", fakeTimeLibrary()],
] as const)("a process goes by the clock that it is given, %s", async (_, library) => {
  const clock = createClock(folder, "process", library)
  const preload = clock.preload.flatMap((file) => ["--preload", file])
  const child = Bun.spawn([process.execPath, ...preload, "-e", TELL], {
    env: { ...process.env, ...clock.environment },
    stdout: "pipe",
  })
  let [now, date, since] = [0, 0, 0]
  const reading = (async () => {
    for await (const chunk of child.stdout) {
      const line = new TextDecoder().decode(chunk).trim().split("\n").at(-1)!
      ;[now = 0, date = 0, since = 0] = line.split(" ").map(Number)
    }
  })()
  const isAhead = (hours: number) => () =>
    Math.abs(now - Date.now() - hours * HOUR) < 60_000 && Math.abs(date - now) < 1_000
  try {
    await until(isAhead(0), "the true time")
    clock.shift(2 * HOUR)
    await until(isAhead(2), "two hours later")
    clock.shift(-2 * HOUR)
    await until(isAhead(-2), "two hours earlier")
    clock.shift(0)
    await until(isAhead(0), "the true time again")
    // What measures intervals is left alone.
    expect(since).toBeGreaterThan(0)
    expect(since).toBeLessThan(60_000)
  } finally {
    child.kill()
    await reading
  }
})
