import type { Attack, Target, Variant } from "../attack.ts"
import { Tally } from "../flood.ts"
import { codeIn, openLine } from "../line.ts"
import { type Account, hoard } from "../people.ts"

const REPLAY = "subscription { events(after: []) { ... on MessageSent { message { text } } } }"
const CONVERSATIONS = 5
const MESSAGES = 600
const FILLING = 8_000

/** An account whose five conversations hold up to 600 messages of 32 KB: each replay is up to 20 MB. */
async function hoarder(url: string, tally: Tally): Promise<Account> {
  const { owner, stored } = await hoard(url, CONVERSATIONS, MESSAGES, FILLING)
  tally.count("stored", stored)
  return owner
}

/** Opens so many replays on a socket at once, and again whenever one is over, until the time is up. */
async function replays(url: string, owner: Account, many: number, until: number, tally: Tally) {
  const { address, token } = owner.client
  while (performance.now() < until) {
    const line = await openLine({ url, address, token }).catch((error: Error) => {
      tally.count(error.message.slice(0, 4))
      return undefined
    })
    if (!line) {
      await Bun.sleep(500)
      continue
    }
    const begin = () =>
      line.subscribe(
        REPLAY,
        {},
        {
          next: () => tally.count("events"),
          over: (why) => tally.count(codeIn(why) ?? why.slice(0, 9)),
        },
      )
    for (let i = 0; i < many; i++) begin()
    await Promise.race([
      Bun.sleep(Math.min(2_000, until - performance.now())),
      new Promise((resolve) => line.socket.addEventListener("close", resolve)),
    ])
    line.hangUp()
  }
}

const variant = (name: string, sockets: number, each: number): Variant => ({
  name,
  async run({ urls, lasts }: Target) {
    const tally = new Tally()
    const owner = await hoarder(urls[0]!, tally)
    const until = performance.now() + lasts
    const all = Array.from({ length: sockets }, (_, i) =>
      replays(urls[i % urls.length]!, owner, each, until, tally),
    )
    await Promise.all(all)
    return tally
  },
})

const slow: Variant = {
  name: "a reader that does not read",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const url = urls[0]!
    const owner = await hoarder(url, tally)
    const { openUnread } = await import("../unread.ts")
    const unread = await Promise.all(
      Array.from({ length: 20 }, () => openUnread(url, owner.client, REPLAY)),
    )
    await Bun.sleep(lasts)
    for (const socket of unread) socket.end()
    return tally
  },
}

export const replaying: Attack = {
  name: "replays",
  by: "member",
  with: "40 replays at once of five conversations with messages of 32 KB",
  expected:
    "a replay waits for its reader, and few go on at a time for one account: the others wait or are `RATE_LIMITED`",
  variants: [
    variant("40 on one socket", 1, 40),
    variant("8 sockets with 5 each", 8, 5),
    variant("40 sockets with one each", 40, 1),
    slow,
  ],
}
