import { expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fingerprint } from "./fingerprint.ts"
import { inRoot } from "./root.ts"

/** Another launcher, that is: another process; it says what it got, and keeps it until it is killed. */
async function another(code: string) {
  const child = Bun.spawn([process.execPath, "-e", `${code}; setInterval(() => {}, 1000)`], {
    stdout: "pipe",
    stderr: "inherit",
  })
  const { value } = await child.stdout.getReader().read()
  return { child, said: new TextDecoder().decode(value).trim() }
}

test("a lock has one holder, and is free again when its holder is killed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-lock-"))
  const take = `const { takeLock } = await import(${JSON.stringify(inRoot("platform/machine/lock.ts"))})
    globalThis.lock = takeLock(${JSON.stringify(join(folder, "lock"))})
    console.log(lock ? "mine" : "taken")`
  const [alice, bob] = [await another(take), await another(take)]
  expect([alice.said, bob.said]).toEqual(["mine", "taken"])
  alice.child.kill("SIGKILL")
  bob.child.kill("SIGKILL")
  await alice.child.exited
  const carol = await another(take)
  expect(carol.said).toBe("mine")
  carol.child.kill("SIGKILL")
  rmSync(folder, { recursive: true })
})

test("ports are free, below those that the system hands out, and never another launcher's", async () => {
  // Both look at the same place first.
  const claim = `Math.random = () => 0.5
    const { claimPorts } = await import(${JSON.stringify(inRoot("platform/machine/ports.ts"))})
    console.log(claimPorts(4).join(" "))`
  const [alice, bob] = [await another(claim), await another(claim)]
  const ports = [...alice.said.split(" "), ...bob.said.split(" ")].map(Number)
  expect(new Set(ports).size).toBe(8)
  expect(Math.min(...ports)).toBeGreaterThan(1024)
  expect(Math.max(...ports)).toBeLessThan(32_768)
  alice.child.kill("SIGKILL")
  bob.child.kill("SIGKILL")
})

test("a fingerprint changes with content, names and number of files, and not with their age", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-print-"))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  const print = () => fingerprint(folder, [".", "absent"], /^left-out$/)
  write("a", "1")
  write("b", "2")
  const before = print()
  write("a", "1")
  write("left-out", "3")
  expect(print()).toBe(before)
  write("a", "2")
  const changed = print()
  expect(changed).not.toBe(before)
  rmSync(join(folder, "b"))
  expect(print()).not.toBe(changed)
  rmSync(folder, { recursive: true })
})
