import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/**
 * Names the patches in `patches/` that the installed packages lack. Bun applies them when it installs; npm ignores them and
 * says nothing, and without them a chat node can hang on a lost connection (docs/adr/0022-one-wait-of-the-mongodb-driver.md).
 * A patch counts as applied where each file that it touches has every line that it adds.
 * @param root the clone
 */
export function missingPatches(root: string): string[] {
  const folder = join(root, "patches")
  return readdirSync(folder)
    .filter((name) => name.endsWith(".patch"))
    .filter((name) => {
      const packageFolder = join(root, "node_modules", name.slice(0, name.lastIndexOf("@")))
      return [...addedLines(readFileSync(join(folder, name), "utf8"))].some(([file, added]) => {
        const lines = new Set(readLines(join(packageFolder, file)))
        return added.some((line) => !lines.has(line))
      })
    })
}

function addedLines(patch: string): Map<string, string[]> {
  const files = new Map<string, string[]>()
  let added: string[] = []
  for (const line of patch.split("\n")) {
    if (line.startsWith("+++ b/")) {
      added = []
      files.set(line.slice("+++ b/".length), added)
    } else if (line.startsWith("+")) added.push(line.slice(1))
  }
  return files
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n")
  } catch {
    return []
  }
}
