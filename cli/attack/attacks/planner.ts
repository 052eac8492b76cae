import type { Attack, Variant } from "../attack.ts"
import { floodAs, floodWith } from "../documents.ts"
import { nonce, Tally } from "../flood.ts"
import { createGroup, signUp } from "../people.ts"

const FORBIDDEN = /^UNAVAILABLE$/
const names = (count: number, length: number) => Array.from({ length: count }, () => nonce(length))
const places = (count: number, each: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => each(index)).join(" ")

/** What keeps the document from going to one subgraph as it came: the planner has to open it. */
const PLANNED = '__type(name: "User") { name }'

/** A fragment with long aliases, at 18 places that the planner opens one by one: 200 KB become 3.6 MB. */
const conditional = (root: string, type: string, beside = PLANNED, length = 49_000) => {
  const fields = names(4, length).map((alias) => `${alias}: id`)
  const query = `query($v: Boolean!) { ${beside} ${places(18, (i) => `r${i}: ${root} { ...@include(if: $v) { ...F } }`)} } fragment F on ${type} { ${fields.join(" ")} }`
  return { query, variables: { v: true } }
}

/** The condition is inside a fragment, so that the text is small at each place. */
const throughFragments = () => {
  const fields = names(4, 45_000).map((alias) => `${alias}: id`)
  return {
    query: `query($v: Boolean!) { ${PLANNED} ${places(18, (i) => `r${i}: me { ...G }`)} } fragment G on User { ...@include(if: $v) { ...F } username } fragment F on User { ${fields.join(" ")} }`,
    variables: { v: true },
  }
}

const inConversation = (
  name: string,
  document: (id: string) => { query: string; variables: object } | string,
): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const owner = await signUp(target.urls[0]!)
    const id = await createGroup(owner, [])
    const make = () => document(id)
    await floodAs([owner], { name, make, perSecond: 14, forbidden: FORBIDDEN }, target, tally)
    return tally
  },
})

/** Another plan each time: what is planned cannot be found in a cache. */
const distinct = (index: number) => {
  const path = (prefix: string) =>
    `${prefix}${index}: conversations { edges { node { members { edges { node { user { ${prefix}: name about } } } } lastMessage { sender { name } } } } }`
  return `{ ${places(10, (i) => path(`p${nonce(6)}x${i}`))} }`
}

export const planner: Attack = {
  name: "planner",
  by: "stranger",
  with: "200 KB that the query planner opens into 3.8 MB for a subgraph, 14 a second",
  expected: "`TOO_LARGE` before a frame is sent: no link ends, and no other node is asked",
  variants: [
    floodWith({
      name: "conditional spreads of me",
      make: () => conditional("me", "User"),
      perSecond: 14,
      forbidden: FORBIDDEN,
    }),
    floodWith({
      name: "conditions in fragments",
      make: throughFragments,
      perSecond: 14,
      forbidden: FORBIDDEN,
    }),
    floodWith({
      name: "conditional spreads in 60 KB",
      make: () => conditional("me", "User", PLANNED, 14_500),
      perSecond: 14,
      forbidden: FORBIDDEN,
    }),
    inConversation("conditional spreads to chat in 60 KB", (id) =>
      conditional(
        `conversation(id: "${id}")`,
        "Conversation",
        `s: conversation(id: "${id}") { members { edges { node { user { name } } } } }`,
        14_500,
      ),
    ),
    inConversation("conditional spreads to chat", (id) =>
      conditional(
        `conversation(id: "${id}")`,
        "Conversation",
        `s: conversation(id: "${id}") { members { edges { node { user { name } } } } }`,
      ),
    ),
    floodWith({
      name: "distinct plans by strangers",
      make: (index) =>
        `{ ${places(19, (i) => `m${i}x${index}: me { ${nonce(8)}: id ${nonce(8)}: name }`)} }`,
      atOnce: 8,
      forbidden: FORBIDDEN,
    }),
    floodWith({
      name: "distinct plans by a member",
      make: distinct,
      accounts: 1,
      atOnce: 8,
      forbidden: FORBIDDEN,
    }),
  ],
}
