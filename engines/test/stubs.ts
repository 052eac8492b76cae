import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder of commands that stand in for what a machine has, or has not. */
export interface Stubs extends Disposable {
  folder: string
  /** What PATH is to be: these commands, and what shell scripts use themselves. */
  path: string
  /** Makes the command `name` of a shell script. */
  add(name: string, script: string): void
}

export function makeStubs(): Stubs {
  const folder = mkdtempSync(join(tmpdir(), "parley-stubs-"))
  const bin = join(folder, "bin")
  mkdirSync(bin)
  for (const tool of ["cat", "cp", "mkdir", "chmod", "env"]) {
    writeFileSync(join(bin, tool), `#!/bin/sh\nexec ${Bun.which(tool)} "$@"\n`, { mode: 0o755 })
  }
  return {
    folder,
    path: bin,
    add(name, script) {
      const file = join(bin, name)
      writeFileSync(file, `#!/bin/sh\n${script}\n`)
      chmodSync(file, 0o755)
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
