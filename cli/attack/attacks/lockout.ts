import type { Attack, Target, Variant } from "../attack.ts"
import { Client } from "../client.ts"
import { flood, Tally } from "../flood.ts"
import { type Account, PASSWORD, signIn, signUp } from "../people.ts"

const WRONG = "certainly not the password"
const CHANGE = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
/** In 15 minutes a guesser gets no further than this, whatever the account. */
const GUESSES = 200

async function guess(client: Client, username: string, times: number, tally: Tally): Promise<void> {
  await flood({ lasts: 10_000, atOnce: 4, atMost: times }, async () => {
    const reply = await signIn(client, username, WRONG)
    tally.count(`guess ${reply.code ?? "RIGHT"}`)
  })
}

/** The owner, on the device that they have used before, from where they always are. */
async function ownerGetsIn(owner: Account, tally: Tally): Promise<void> {
  const reply = await signIn(owner.client, owner.username)
  tally.count(`owner ${reply.code ?? "signed in"}`)
  tally.expect(!reply.code, `the owner cannot sign in on a known device: ${reply.code}`)
}

const variant = (
  name: string,
  attack: (owner: Account, target: Target, tally: Tally) => Promise<void>,
): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const owner = await signUp(target.urls[0]!, "owner")
    await attack(owner, target, tally)
    return tally
  },
})

export const lockout: Attack = {
  name: "lockout",
  by: "stranger",
  with: "wrong guesses at an owner's password, from one address and from many",
  expected:
    "guesses are refused to the guesser; the owner gets in on a device that has signed in before, and from other addresses",
  hashing: true,
  variants: [
    variant("one address", async (owner, { urls }, tally) => {
      await guess(new Client(urls[0]!), owner.username, 30, tally)
      tally.expect(tally.of("guess RATE_LIMITED") > 0, "30 wrong guesses were not limited")
      await ownerGetsIn(owner, tally)
    }),
    variant("one address, the owner on a new device", async (owner, { urls }, tally) => {
      await guess(new Client(urls[0]!), owner.username, 30, tally)
      const reply = await signIn(new Client(urls[0]!), owner.username)
      tally.count(`new device ${reply.code ?? "signed in"}`)
      tally.expect(!reply.code, `the owner cannot sign in on a new device: ${reply.code}`)
    }),
    variant("thirty addresses", async (owner, { urls }, tally) => {
      await Promise.all(
        Array.from({ length: 30 }, () => guess(new Client(urls[0]!), owner.username, 5, tally)),
      )
      await ownerGetsIn(owner, tally)
    }),
    variant("the owner changes the password meanwhile", async (owner, { urls }, tally) => {
      await guess(new Client(urls[0]!), owner.username, 30, tally)
      const reply = await owner.client.ask(CHANGE, { c: PASSWORD, n: `${PASSWORD} anew` })
      tally.count(`change ${reply.code ?? "done"}`)
      tally.expect(!reply.code, `the owner cannot change the password: ${reply.code}`)
    }),
    variant("one password for many accounts", async (_owner, { urls }, tally) => {
      const sprayer = new Client(urls[0]!)
      await flood({ lasts: 12_000, atOnce: 6, atMost: 2 * GUESSES }, async (index) => {
        const reply = await signIn(sprayer, `someone.${index}`, WRONG)
        tally.count(`guess ${reply.code ?? "RIGHT"}`)
      })
      const tried =
        tally.of("guess RATE_LIMITED") +
        tally.of("guess UNAUTHENTICATED") +
        tally.of("guess BAD_INPUT")
      if (tried < 1.2 * GUESSES) return
      tally.expect(
        tally.of("guess RATE_LIMITED") > 0,
        `${tried} guesses of one address were not limited`,
      )
    }),
    variant("guesses that are refused", async (owner, { urls }, tally) => {
      const guesser = new Client(urls[0]!)
      await guess(guesser, owner.username, 2 * GUESSES, tally)
      const other = await signUp(urls[0]!, "other")
      const reply = await signIn(guesser, other.username, WRONG)
      tally.count(`then ${reply.code}`)
      tally.expect(
        reply.code === "RATE_LIMITED",
        `after ${2 * GUESSES} guesses an address may go on to guess at other accounts`,
      )
      await ownerGetsIn(owner, tally)
    }),
  ],
}
