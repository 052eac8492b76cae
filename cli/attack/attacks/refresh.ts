import { REFRESH } from "../../../testing/operations.ts"
import type { Attack } from "../attack.ts"
import { Client } from "../client.ts"
import { Tally } from "../flood.ts"
import { signUp } from "../people.ts"

const ME = "{ me { id } }"

/** The same cookies on another machine. */
function copyOf(client: Client, address = client.address): Client {
  const copy = new Client(client.url, address)
  for (const [name, value] of client.cookies) copy.cookies.set(name, value)
  return copy
}

export const refresh: Attack = {
  name: "refresh",
  by: "thief",
  with: "a refresh token that is used twice: by an honest client whose answer was lost, and by a thief",
  expected:
    "the former token stays good until the new one has been presented; used after that, it ends the session",
  variants: [
    {
      name: "an answer that was lost",
      slow: true,
      needs: 15_000,
      async run({ urls }) {
        const tally = new Tally()
        const { client } = await signUp(urls[0]!)
        // The answer reaches a machine that is no more.
        await copyOf(client).ask(REFRESH)
        await Bun.sleep(12_000)
        const reply = await client.ask(REFRESH)
        tally.reply(reply)
        tally.expect(!reply.code, `an honest client is signed out: ${reply.code}`)
        return tally
      },
    },
    {
      name: "answers that were lost three times",
      slow: true,
      needs: 40_000,
      async run({ urls }) {
        const tally = new Tally()
        const { client } = await signUp(urls[0]!)
        for (let i = 0; i < 3; i++) {
          await copyOf(client).ask(REFRESH)
          await Bun.sleep(11_000)
        }
        const reply = await client.ask(REFRESH)
        tally.reply(reply)
        tally.expect(!reply.code, `an honest client is signed out: ${reply.code}`)
        return tally
      },
    },
    {
      name: "a thief is late",
      slow: true,
      needs: 15_000,
      async run({ urls }) {
        const tally = new Tally()
        const { client } = await signUp(urls[0]!)
        const thief = copyOf(client, "10.66.6.7")
        await client.ask(REFRESH)
        await client.ask(REFRESH)
        await Bun.sleep(11_000)
        const stolen = await thief.ask(REFRESH)
        tally.expect(!!stolen.code, "a refresh token was used again after its successor")
        const reply = await client.ask(REFRESH)
        tally.reply(reply)
        tally.expect(!!reply.code, "the session goes on though its refresh token was stolen")
        return tally
      },
    },
    {
      name: "at once",
      async run({ urls }) {
        const tally = new Tally()
        const { client } = await signUp(urls[0]!)
        const tabs = Array.from({ length: 8 }, () => copyOf(client))
        for (const reply of await Promise.all(tabs.map((tab) => tab.ask(REFRESH)))) {
          tally.reply(reply)
          tally.expect(!reply.code, `a tab is signed out: ${reply.code}`)
        }
        const reply = await tabs[0]!.ask<{ me: unknown }>(ME)
        tally.expect(!!reply.data?.me, "the session of eight tabs has ended")
        return tally
      },
    },
  ],
}
