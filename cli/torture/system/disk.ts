import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** A folder whose disk can be full. */
export interface Disk {
  readonly folder: string
  /** What is done to it, in a word or two. */
  readonly how: string
  fill(): void
  free(): void
  stop(): Promise<void>
}

/** Room for what half an hour writes. */
const SIZE = "512m"
/** Unmounts once its stdin is closed: by `stop`, or because this process is gone. */
const WATCHDOG = `trap "" INT; while read -r _; do :; done; umount -l "$1"`

/**
 * A disk of its own where this user may mount one, filled to the last block; else the limit that the system sets to the
 * size of a process's files, so small that every write fails.
 * @param writer the process that writes there
 */
export function openDisk(
  folder: string,
  writer: () => number | undefined,
  { mayMount = true } = {},
): Disk {
  mkdirSync(folder, { recursive: true })
  const mounted =
    mayMount && run("mount", "-t", "tmpfs", "-o", `size=${SIZE},mode=700`, "tmpfs", folder)
  return mounted ? mountedDisk(folder) : limitedDisk(folder, writer)
}

function mountedDisk(folder: string): Disk {
  const watchdog = Bun.spawn(["/bin/sh", "-c", WATCHDOG, "sh", folder], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  })
  const ballast = join(folder, "ballast")
  return {
    folder,
    how: "a full disk",
    fill() {
      // Large pieces first; the last ones go in between what the services still write.
      for (const piece of [1024 * 1024, 4096, 1]) append(ballast, piece)
    },
    free: () => rmSync(ballast, { force: true }),
    async stop() {
      await watchdog.stdin.end()
      await watchdog.exited
    },
  }
}

function append(file: string, piece: number): void {
  const zeros = new Uint8Array(piece)
  try {
    for (;;) writeFileSync(file, zeros, { flag: "a" })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
  }
}

function limitedDisk(folder: string, writer: () => number | undefined): Disk {
  let limited: number | undefined
  const limit = (pid: number | undefined, size: string) => {
    if (pid !== undefined) run("prlimit", "--pid", String(pid), `--fsize=${size}:`)
  }
  return {
    folder,
    how: "a limit to the size of files",
    fill() {
      limited = writer()
      limit(limited, "1")
    },
    free: () => limit(limited, "unlimited"),
    async stop() {},
  }
}

function run(...command: string[]): boolean {
  try {
    return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).exitCode === 0
  } catch {
    return false
  }
}
