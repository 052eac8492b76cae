import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder that goes with its owner. */
export interface Folder extends Disposable {
  path: string
}

const present = new Set<string>()
const remove = (path: string) => rmSync(path, { recursive: true, force: true })
// Even an interrupted run leaves nothing behind.
process.on("exit", () => present.forEach(remove))

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "parley-"))
  present.add(path)
  return {
    path,
    [Symbol.dispose]() {
      present.delete(path)
      remove(path)
    },
  }
}
