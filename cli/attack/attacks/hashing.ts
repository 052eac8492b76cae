import { SIGN_UP } from "../../../testing/operations.ts"
import type { Attack, Target, Variant } from "../attack.ts"
import { Client } from "../client.ts"
import { flood, Tally } from "../flood.ts"
import { PASSWORD, signIn, signUp } from "../people.ts"

/** Others wait no longer than this for a hash of their own while hashing is flooded, in ms. */
const OTHERS_WITHIN = 5_000

const newcomer = (client: Client) =>
  client.ask(SIGN_UP, {
    input: {
      username: `new.${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`,
      password: PASSWORD,
    },
  })

/** Newcomers from elsewhere sign up meanwhile: none is refused. */
async function newcomers({ urls, lasts }: Target, tally: Tally): Promise<void> {
  await flood({ lasts, atOnce: 8, perSecond: 2 }, async () => {
    const reply = await newcomer(new Client(urls[0]!))
    tally.count(`newcomer ${reply.code ?? "signed up"}`)
    tally.counts.newcomerSlowestMs = Math.max(tally.of("newcomerSlowestMs"), Math.round(reply.took))
    tally.expect(!reply.code, `a newcomer from elsewhere was refused: ${reply.code}`)
  })
  const slowest = tally.of("newcomerSlowestMs")
  tally.expect(slowest <= OTHERS_WITHIN, `a newcomer waited for ${slowest} ms`)
}

const variant = (
  name: string,
  prepare: (target: Target) => Promise<(index: number) => Promise<{ code?: string }>>,
  atOnce = 144,
): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const attempt = await prepare(target)
    const flooding = flood({ lasts: target.lasts, atOnce }, async (index) => {
      const { code } = await attempt(index)
      tally.count(code ?? "ok")
      if (code) await Bun.sleep(50)
    })
    await Promise.all([flooding, newcomers(target, tally)])
    return tally
  },
})

const ACCOUNTS = 16

async function accounts({ urls }: Target, addresses: number) {
  const people = await Promise.all(Array.from({ length: ACCOUNTS }, () => signUp(urls[0]!)))
  const clients = Array.from({ length: addresses }, () => new Client(urls[0]!))
  return (index: number) =>
    signIn(
      new Client(urls[0]!, clients[index % addresses]!.address),
      people[index % ACCOUNTS]!.username,
    )
}

export const hashing: Attack = {
  name: "hashing",
  by: "stranger",
  with: "16 accounts that sign in all the time, 9 at a time each; sign-ups; unknown users",
  expected: "fair queues: each address waits behind itself, newcomers are not refused",
  hashing: true,
  variants: [
    variant("right passwords from one address", (target) => accounts(target, 1)),
    variant("right passwords from 16 addresses", (target) => accounts(target, 16)),
    variant("sign-ups from one address", async ({ urls }) => {
      const client = new Client(urls[0]!)
      return () => newcomer(new Client(urls[0]!, client.address))
    }),
    variant("unknown users", async ({ urls }) => {
      const clients = Array.from({ length: 16 }, () => new Client(urls[0]!))
      return (index) => signIn(clients[index % 16]!, `nobody.${index}`)
    }),
  ],
}
