import { readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Runs a script that acknowledges one write after another, each by a line `acknowledged <n>` on stderr, and watches its
 * system calls with strace. A process that is killed keeps what the kernel has in memory, so only this shows that a write
 * has reached the disk before it is acknowledged.
 * @returns for each acknowledgement, how many fsync or fdatasync calls had returned since the one before.
 * @throws Error where strace is missing or the script fails.
 */
export async function syncsBeforeEach(script: string, ...args: string[]): Promise<number[]> {
  const trace = join(tmpdir(), `parley-syncs-${crypto.randomUUID()}`)
  const strace = Bun.which("strace")
  if (!strace) throw new Error("strace is missing: install it (on Debian: apt-get install strace).")
  const options = ["-f", "-e", "trace=fsync,fdatasync,write,writev", "-s", "64", "-o", trace]
  try {
    const child = Bun.spawn([strace, ...options, process.execPath, script, ...args], {
      stdout: "ignore",
      stderr: "pipe",
    })
    const said = await new Response(child.stderr).text()
    if ((await child.exited) !== 0) throw new Error(`${script} failed: ${said}`)
    return readTrace(readFileSync(trace, "utf8"))
  } finally {
    rmSync(trace, { force: true })
  }
}

function readTrace(trace: string): number[] {
  const counts: number[] = []
  let syncs = 0
  for (const line of trace.split("\n")) {
    if (/\bf(data)?sync\b.*= 0$/.test(line)) syncs += 1
    else if (/\bwritev?\b.*acknowledged \d+/.test(line)) {
      counts.push(syncs)
      syncs = 0
    }
  }
  return counts
}
