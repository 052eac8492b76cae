import * as v from "valibot"
import type { StoredKeys } from "./store.ts"

const Keys = v.object({
  // The first Parley wrote none.
  version: v.optional(v.number(), 1),
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

const Text = v.pipe(v.string(), v.parseJson(), Keys)

/** Keys as an engine has written them. @throws ValiError where the text is something else. */
export const readKeys = (text: string): StoredKeys => v.parse(Text, text)
