import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder that goes with whoever made it. */
export interface Folder extends Disposable {
  path: string
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "parley-bench-"))
  const remove = () => rmSync(path, { recursive: true, force: true })
  // Even an interrupted run leaves nothing behind.
  process.once("exit", remove)
  return {
    path,
    [Symbol.dispose]() {
      process.off("exit", remove)
      remove()
    },
  }
}
