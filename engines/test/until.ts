import { existsSync, readFileSync } from "node:fs"

/** Resolves once `holds` does; a test that waits longer than `ms` fails with what it waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 30_000,
): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain until ${what}`)
    await Bun.sleep(10)
  }
}

/** Whether a process of this id runs, be it frozen. A dead one that its parent has not reaped yet does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    // No such file system, or gone this very moment.
    return !existsSync("/proc/self")
  }
}
