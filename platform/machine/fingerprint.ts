import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { walk } from "./walk.ts"

/**
 * One short text that changes whenever one of some files changes, comes or goes, and never otherwise: times are left
 * out, because a checkout sets them anew.
 * @param paths files, and folders of which everything counts, relative to `root`; what is not there counts as absent
 * @param leaveOut names of files and folders that do not count, wherever they are
 */
export function fingerprint(root: string, paths: readonly string[], leaveOut: RegExp): string {
  const hash = new Bun.CryptoHasher("sha256")
  for (const path of paths) {
    const found = statSync(join(root, path), { throwIfNoEntry: false })
    if (!found) continue
    for (const file of found.isDirectory() ? walk(root, path, leaveOut) : [path]) {
      const content = readFileSync(join(root, file))
      hash.update(`${file}\0${content.length}\0`).update(content)
    }
  }
  return hash.digest("hex")
}
