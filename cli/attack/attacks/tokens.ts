import { createPrivateKey, sign } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { REFRESH, SEND } from "../../../testing/operations.ts"
import type { Attack, Target, Variant } from "../attack.ts"
import { Tally } from "../flood.ts"
import { askOver, openLine } from "../line.ts"
import { type Account, createGroup, sendText, signUp } from "../people.ts"

/** A socket ends within so long of the expiry of the token that opened it, in ms. */
const ENDS_WITHIN = 65_000
const GOOD_FOR = 5_000

/**
 * An access token of the account's session that expires in 5 s: what a thief holds who has stolen one that is nearly
 * ten minutes old. Signed with the installation's own key.
 */
function oldToken({ dataDir }: Target, { client }: Account): string {
  const text = readFileSync(join(dataDir!, "auth", "keys.json"), "utf8")
  const { keys } = JSON.parse(text) as {
    keys: { kid: string; activeFrom: number; privateKey: JsonWebKey }[]
  }
  const present = keys.findLast(({ activeFrom }) => activeFrom <= Date.now())!
  const key = createPrivateKey({ key: present.privateKey as never, format: "jwk" })
  const [, own = ""] = client.token.split(".")
  const claims = JSON.parse(Buffer.from(own, "base64url").toString()) as object
  const iat = Math.floor(Date.now() / 1_000) - 590
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const signed = `${encode({ alg: "EdDSA", kid: present.kid, typ: "JWT" })}.${encode({ ...claims, iat, exp: Math.ceil((Date.now() + GOOD_FOR) / 1_000) })}`
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`
}

type Owner = (owner: Account, url: string) => Promise<() => void>

/** The thief's socket, while the owner goes on with newer tokens. */
const variant = (name: string, ownerDoes: Owner): Variant => ({
  name,
  slow: true,
  embeddedOnly: true,
  needs: GOOD_FOR + ENDS_WITHIN + 5_000,
  async run(target) {
    const tally = new Tally()
    const url = target.urls[0]!
    const [owner, other] = [await signUp(url, "owner"), await signUp(url, "other")]
    const group = await createGroup(owner, [other.id])
    const token = oldToken(target, owner)
    const expires = performance.now() + GOOD_FOR
    const thief = await openLine({ url, address: "10.66.6.6", token })
    let read = 0
    thief.subscribe(
      "subscription { events { __typename } }",
      {},
      {
        next: () => {
          read = performance.now()
        },
        over: (why) => tally.count(`over ${why.slice(0, 20)}`),
      },
    )
    const stop = await ownerDoes(owner, url)
    const end = expires + ENDS_WITHIN
    while (performance.now() < end + 3_000 && !thief.closed) {
      await sendText(other, group, "a secret")
      await Bun.sleep(1_000)
    }
    const after = performance.now()
    tally.count(`closed ${thief.closed?.code ?? "never"}`)
    tally.counts.endedAfterExpiryMs = Math.round((thief.closed ? after : Number.NaN) - expires) || 0
    tally.expect(
      !!thief.closed,
      "the socket of a stolen token goes on a minute after the token expired",
    )
    tally.expect(read < end, "events are read with a stolen token a minute after it expired")
    if (!thief.closed) {
      const input = { id: Bun.randomUUIDv7(), conversation: group, text: "in the owner's name" }
      const reply = await askOver(thief, SEND, { input })
      tally.expect(
        !!reply.code,
        "a message is sent in the owner's name a minute after the token expired",
      )
    }
    stop()
    thief.hangUp()
    return tally
  },
})

export const tokens: Attack = {
  name: "tokens",
  by: "thief",
  with: "a stolen access token, whose socket stays open while the owner goes on",
  expected:
    "the socket ends within a minute of its own token's expiry, whatever newer tokens the owner has",
  variants: [
    variant("the owner refreshes", async ({ client }) => {
      const timer = setInterval(() => void client.ask(REFRESH), 5_000)
      return () => clearInterval(timer)
    }),
    variant("the owner has a socket", async ({ client }, url) => {
      const line = await openLine({
        url,
        address: client.address,
        token: client.token,
        cookies: client.cookies.header,
      })
      const timer = setInterval(() => void askOver(line, "{ me { id } }"), 2_000)
      return () => {
        clearInterval(timer)
        line.close()
      }
    }),
    variant("the owner asks over HTTP", async ({ client }) => {
      const timer = setInterval(() => void client.ask("{ me { id } }"), 2_000)
      return () => clearInterval(timer)
    }),
  ],
}
