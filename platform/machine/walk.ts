import { readdirSync } from "node:fs"
import { join } from "node:path"

/**
 * Every file below a folder, as paths that begin with it, in an order that does not change.
 * @param root what the paths are relative to
 * @param leaveOut names of files and folders that are not looked at, wherever they are
 */
export function* walk(root: string, folder: string, leaveOut: RegExp): Generator<string> {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (leaveOut.test(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(root, path, leaveOut)
    else if (entry.isFile()) yield path
  }
}
