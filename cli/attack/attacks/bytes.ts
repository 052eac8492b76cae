import type { Attack, Variant } from "../attack.ts"
import { floodAs } from "../documents.ts"
import { Tally } from "../flood.ts"
import { hoard } from "../people.ts"

const MESSAGES = 200
const FILLING = 8_000

const ofLarge = (name: string, atOnce: number, document: (id: string) => string): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const { owner, ids, stored } = await hoard(target.urls[0]!, 1, MESSAGES, FILLING)
    const [id = ""] = ids
    tally.count("stored", stored)
    const query = document(id)
    const flooding = { name, make: () => query, atOnce, forbidden: /^UNAVAILABLE$/ }
    await floodAs([owner], flooding, target, tally)
    return tally
  },
})

const aliases = (count: number, each: string) =>
  Array.from({ length: count }, (_, i) => `a${i}: ${each}`).join(" ")
const PAGE = "messages(last: 200) { edges { node { text } } }"

export const bytes: Attack = {
  name: "bytes",
  by: "member",
  with: "a page of 200 messages of 32 KB, asked for 49 times in one query (314 MB)",
  expected:
    "the page ends early (`pageInfo`), or `TOO_LARGE`, before the subgraph has made more than 2 MiB",
  variants: [
    ofLarge(
      "pages under aliases",
      1,
      (id) => `{ conversation(id: "${id}") { ${aliases(49, PAGE)} } }`,
    ),
    ofLarge("three at a time", 3, (id) => `{ conversation(id: "${id}") { ${aliases(9, PAGE)} } }`),
    ofLarge(
      "logs under aliases",
      3,
      (id) =>
        `{ conversation(id: "${id}") { ${aliases(9, "log(after: 0, first: 1000) { ... on MessageSent { message { text } } }")} } }`,
    ),
    ofLarge(
      "roots under aliases",
      3,
      (id) => `{ ${aliases(19, `conversation(id: "${id}") { ${PAGE} }`)} }`,
    ),
    ofLarge(
      "through messages",
      3,
      (id) =>
        `{ conversation(id: "${id}") { messages(last: 40) { edges { node { text conversation { messages(last: 200) { edges { node { text } } } } } } } } }`,
    ),
  ],
}
