import type { Attack, Target, Variant } from "../attack.ts"
import { floodAs } from "../documents.ts"
import { flood, Tally } from "../flood.ts"
import { createGroup, sendText, signUp } from "../people.ts"

const MESSAGES = 60

/** A conversation in a message in a conversation …, a list at each level. */
const nestedMessages = (levels: number, args = ""): string =>
  levels === 0
    ? "id"
    : `messages${args} { edges { node { id conversation { ${nestedMessages(levels - 1, args)} } } } }`

/** An account with a group that has 60 messages, asks one document again and again. */
const nested = (
  name: string,
  document: (id: string) => { query: string; variables?: object },
): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const owner = await signUp(target.urls[0]!)
    const id = await createGroup(owner, [])
    await flood({ lasts: 5_000, atOnce: 4, atMost: MESSAGES }, (i) => sendText(owner, id, `${i}`))
    const made = document(id)
    await floodAs([owner], { name, make: () => made, atOnce: 2, perSecond: 4 }, target, tally)
    return tally
  },
})

const GROUPS = 100
const MEMBERS = 30

/** 100 groups of 31: its first members are in `joined` of the first entry, which has no size. */
const unsized = (name: string, document: string): Variant => ({
  name,
  async run(target: Target) {
    const tally = new Tally()
    const url = target.urls[0]!
    const owner = await signUp(url)
    const others = await Promise.all(Array.from({ length: MEMBERS }, () => signUp(url)))
    const members = others.map(({ id }) => id)
    const query = 'mutation($m: [ID!]!) { createGroup(title: "many", members: $m) { id } }'
    await flood({ lasts: 5_000, atOnce: 4, atMost: GROUPS }, () =>
      owner.client.ask(query, { m: members }),
    )
    await floodAs([owner], { name, make: () => document, atOnce: 2, perSecond: 4 }, target, tally)
    return tally
  },
})

const aliased = (count: number, each: string) =>
  `{ conversations(first: 100) { edges { node { ${Array.from({ length: count }, (_, i) => `a${i}: ${each}`).join(" ")} } } } }`

export const items: Attack = {
  name: "items",
  by: "member",
  with: "lists without a size: `messages` nested four times (50^4 items in 200 bytes), `joined` of 100 groups under 30 aliases",
  expected: "`TOO_LARGE`: a list without a size counts what it answers",
  variants: [
    nested("messages without arguments", (id) => ({
      query: `{ conversation(id: "${id}") { ${nestedMessages(4)} } }`,
    })),
    nested("a variable that is null", (id) => ({
      query: `query($n: Int) { conversation(id: "${id}") { ${nestedMessages(4, "(first: $n)")} } }`,
      variables: { n: null },
    })),
    nested("a variable that is absent", (id) => ({
      query: `query($n: Int, $b: String) { conversation(id: "${id}") { ${nestedMessages(4, "(last: $n, before: $b)")} } }`,
    })),
    nested("log without a size", (id) => ({
      query: `{ conversation(id: "${id}") { log(after: 0) { conversation { log(after: 0) { conversation { log(after: 0) { conversation { log(after: 0) { seq } } } } } } } } }`,
    })),
    unsized(
      "joined without a size",
      aliased(
        30,
        "log(after: 0, first: 2) { ... on MembersChanged { joined { id name username } } }",
      ),
    ),
    unsized(
      "members without a size",
      aliased(30, "members { edges { node { user { id name } } } }"),
    ),
  ],
}
