import { createPrivateKey, sign } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** Whose tokens to make: those of the installation that keeps its keys there. */
export interface Issuer {
  dataDir: string
  publicUrl: string
}

/** Signs access tokens as auth does. Each call gives another token: another login session of that user. */
export type Signer = (user: string) => string

const LIFETIME_S = 600

/**
 * Signs with the installation's own key, so that thousands of people are signed in without thousands of password
 * hashes. Only who asks auth itself about such a session finds out that nobody ever began it.
 */
export function createSigner({ dataDir, publicUrl }: Issuer): Signer {
  const { keys } = JSON.parse(readFileSync(join(dataDir, "auth", "keys.json"), "utf8")) as {
    keys: { kid: string; activeFrom: number; privateKey: JsonWebKey }[]
  }
  const present = keys.findLast(({ activeFrom }) => activeFrom <= Date.now())
  if (!present) throw new Error("auth has no key that signs now.")
  const key = createPrivateKey({ key: present.privateKey as never, format: "jwk" })
  const header = base64url({ alg: "EdDSA", kid: present.kid, typ: "JWT" })

  return (user) => {
    const iat = Math.floor(Date.now() / 1000)
    const sid = crypto.randomUUID()
    const claims = { sid, sub: user, iss: publicUrl, aud: "parley", iat, exp: iat + LIFETIME_S }
    const signed = `${header}.${base64url(claims)}`
    return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`
  }
}

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
