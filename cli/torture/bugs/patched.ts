import { readFileSync } from "node:fs"
import { inRoot } from "../../../platform/machine/root.ts"
import type { Patch } from "./bug.ts"

/**
 * The sources that these patches make, by file.
 * @throws Error where a place to patch is not in its file exactly once: the code has changed since the patch was made
 */
export function patched(patches: readonly Patch[]): Map<string, string> {
  const sources = new Map<string, string>()
  for (const { file, find, replace } of patches) {
    const path = inRoot(file)
    const source = sources.get(path) ?? readFileSync(path, "utf8")
    const times = source.split(find).length - 1
    if (times !== 1) throw new Error(`${file} has «${find}» ${times} times instead of once`)
    sources.set(
      path,
      source.replace(find, () => replace),
    )
  }
  return sources
}
