import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs"
import { ConfigError } from "@parley/platform/config.ts"
import type { KeyStorage, StoredKeys } from "../store.ts"
import { readKeys } from "../stored-keys.ts"

/**
 * Keeps the secret keys in one JSON file that only its owner may read (0600). A save replaces the file as a whole, so
 * that a crash leaves either the old or the new keys. Nothing of it waits, so that within this process, whose folder it
 * is, no other process gets between the comparison and the replacement.
 */
export const keyFile = (path: string): KeyStorage => ({
  load: async () => load(path),
  async save(keys) {
    if ((load(path)?.version ?? 0) !== keys.version - 1) return false
    replace(path, JSON.stringify(keys, null, 2))
    return true
  },
})

function load(path: string): StoredKeys | undefined {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw new ConfigError(`${path} cannot be read: ${(error as Error).message}.`)
  }
  // Copied or restored files tend to come back readable for everyone.
  chmodSync(path, 0o600)
  try {
    return readKeys(text)
  } catch {
    throw new ConfigError(
      `${path} holds no keys that can be read: restore it, or delete it and everyone signs in again.`,
    )
  }
}

function replace(path: string, text: string): void {
  const draft = `${path}.new`
  const file = openSync(draft, "w", 0o600)
  try {
    fchmodSync(file, 0o600)
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}
