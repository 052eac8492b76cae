import type { Attack, Variant } from "../attack.ts"
import type { Client } from "../client.ts"
import { floodAs } from "../documents.ts"
import { flood, Tally } from "../flood.ts"
import { createGroup, sendText, signUp } from "../people.ts"

const PAGE = "messages(last: 200) { edges { node { id text sender { id } status } } }"
const many = (count: number, each: string) =>
  Array.from({ length: count }, (_, i) => `a${i}: ${each}`).join(" ")

/** Accounts that ask for as much as is allowed, so many at a time each. */
const allowed = (name: string, accounts: number, atOnce: number, of: string): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const people: { client: Client; id: string }[] = []
    for (let i = 0; i < accounts; i++) {
      const owner = await signUp(target.urls[i % target.urls.length]!)
      const id = await createGroup(owner, [])
      await flood({ lasts: 2_000, atOnce: 8, atMost: 100 }, (n) => sendText(owner, id, `${n}`))
      people.push({ client: owner.client, id })
    }
    const make = (i: number) => `{ conversation(id: "${people[i % accounts]!.id}") { ${of} } }`
    await floodAs(people, { name, make, atOnce: accounts * atOnce }, target, tally)
    return tally
  },
})

export const queries: Attack = {
  name: "queries",
  by: "member",
  with: "queries that are allowed (9,900 items, 140 ms of a node each), 8 at a time",
  expected: "an account's queries wait behind its own; then it is `RATE_LIMITED`",
  variants: [
    allowed("one account", 1, 8, many(49, PAGE)),
    allowed(
      "one account, pages of a screen",
      1,
      16,
      "messages(last: 50) { edges { node { id text sender { id name } status } } } unreadCount members(first: 50) { edges { node { user { name } } } }",
    ),
    allowed("five accounts", 5, 8, many(49, PAGE)),
    allowed("twenty accounts", 20, 8, many(49, PAGE)),
    allowed("sockets' worth of small ones", 1, 64, "unreadCount lastMessage { text }"),
  ],
}
