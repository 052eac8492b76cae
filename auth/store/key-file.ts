import { chmod, open, readFile, rename } from "node:fs/promises"
import { ConfigError } from "@parley/service/config.ts"
import * as v from "valibot"
import type { KeyStorage } from "../domain/keys.ts"

const StoredKeys = v.object({
  refreshSecret: v.pipe(v.string(), v.minLength(43)),
  keys: v.array(
    v.object({
      kid: v.string(),
      activeFrom: v.number(),
      privateKey: v.object({
        kty: v.literal("OKP"),
        crv: v.literal("Ed25519"),
        x: v.string(),
        d: v.string(),
      }),
    }),
  ),
})

/**
 * Keeps the secret keys in one JSON file that only its owner may read (0600). A save replaces the file as a whole, so
 * that a crash leaves either the old or the new keys.
 */
export function keyFile(path: string): KeyStorage {
  return {
    async load() {
      let text: string
      try {
        text = await readFile(path, "utf8")
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
        throw new ConfigError(`${path} cannot be read: ${(error as Error).message}.`)
      }
      // Copied or restored files tend to come back readable for everyone.
      await chmod(path, 0o600)
      const keys = v.safeParse(v.pipe(v.string(), v.parseJson(), StoredKeys), text)
      if (keys.success) return keys.output
      throw new ConfigError(
        `${path} holds no keys that can be read: restore it, or delete it and everyone signs in again.`,
      )
    },
    async save(keys) {
      const draft = `${path}.new`
      const file = await open(draft, "w", 0o600)
      try {
        await file.chmod(0o600)
        await file.writeFile(JSON.stringify(keys, null, 2))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
    },
  }
}
