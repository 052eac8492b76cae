import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import { ConfigError } from "@parley/platform/config.ts"
import { isDuplicate, type Mongo } from "@parley/platform/mongo.ts"
import type { KeyStorage, StoredKeys } from "../store.ts"
import { readKeys } from "../stored-keys.ts"

interface KeysDocument {
  _id: "keys"
  version: number
  /** In base64; both are others with each write, so no two ciphertexts come about in the same way. */
  salt: string
  nonce: string
  /** The keys as JSON, encrypted, with the tag that proves them at the end; in base64. */
  sealed: string
}

type Run = <T>(step: (again: boolean) => Promise<T>) => Promise<T>

const TAG_BYTES = 16

/**
 * Keeps the secret keys of all auth processes in one document, sealed with AES-256-GCM under a key that is derived from
 * the link secret (HKDF, RFC 5869): a copy of the database alone signs nothing.
 */
export function mongoKeys(mongo: Mongo, run: Run, linkSecret: string): KeyStorage {
  const documents = mongo.collection<KeysDocument>("secrets")

  return {
    load: () =>
      run(async () => {
        const found = await documents.findOne({ _id: "keys" })
        return found ? unseal(found, linkSecret) : undefined
      }),
    save: (keys) => {
      const sealed = seal(keys, linkSecret)
      return run(async (again) => {
        const put = documents.replaceOne({ _id: "keys", version: keys.version - 1 }, sealed, {
          upsert: keys.version === 1,
        })
        const { matchedCount, upsertedCount } = await put.catch((error) => {
          if (isDuplicate(error)) return { matchedCount: 0, upsertedCount: 0 }
          throw error
        })
        const isPut = matchedCount + upsertedCount > 0
        if (isPut || !again) return isPut
        return (await documents.findOne({ _id: "keys", nonce: sealed.nonce })) !== null
      })
    },
  }
}

const sealingKey = (linkSecret: string, salt: Uint8Array) =>
  Buffer.from(hkdfSync("sha256", linkSecret, salt, "parley auth keys", 32))

/** What is authenticated beside the keys: those of an older document do not pass for a newer one's. */
const context = (version: number) => Buffer.from(`keys ${version}`)

function seal(keys: StoredKeys, linkSecret: string): Omit<KeysDocument, "_id"> {
  const salt = randomBytes(16)
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", sealingKey(linkSecret, salt), nonce)
  cipher.setAAD(context(keys.version))
  const text = [cipher.update(JSON.stringify(keys)), cipher.final()]
  const sealed = Buffer.concat([...text, cipher.getAuthTag()])
  const [saltText, nonceText, sealedText] = [salt, nonce, sealed].map((b) => b.toString("base64"))
  return { version: keys.version, salt: saltText!, nonce: nonceText!, sealed: sealedText! }
}

/** @throws ConfigError where they were sealed under another secret, or changed since. */
function unseal({ version, ...found }: KeysDocument, linkSecret: string): StoredKeys {
  try {
    const [salt, nonce, sealed] = [found.salt, found.nonce, found.sealed].map((text) =>
      Buffer.from(text, "base64"),
    )
    const key = sealingKey(linkSecret, salt!)
    const decipher = createDecipheriv("aes-256-gcm", key, nonce!, { authTagLength: TAG_BYTES })
    decipher.setAAD(context(version))
    decipher.setAuthTag(sealed!.subarray(-TAG_BYTES))
    const text = [decipher.update(sealed!.subarray(0, -TAG_BYTES)), decipher.final()]
    return readKeys(Buffer.concat(text).toString())
  } catch {
    throw new ConfigError(
      "The signing keys in MongoDB were sealed with another LINK_SECRET: start every auth with the same one, or delete " +
        'the document "keys" of the collection "secrets" and everyone signs in again.',
    )
  }
}
