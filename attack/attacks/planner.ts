import type { Attack, Variant } from "../attack.ts"
import { floodAs, floodWith } from "../documents.ts"
import { nonce, Tally } from "../flood.ts"
import { createGroup, signUp } from "../people.ts"

const FORBIDDEN = /^UNAVAILABLE$/
const names = (count: number, length: number) => Array.from({ length: count }, () => nonce(length))
const places = (count: number, each: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => each(index)).join(" ")

/** A fragment with long aliases, at 19 places that the planner opens one by one: 200 KB become 3.8 MB. */
const conditional = (root: string, type: string) => {
  const fields = names(4, 49_000).map((alias) => `${alias}: id`)
  const query = `query($v: Boolean!) { ${places(19, (i) => `r${i}: ${root} { ...@include(if: $v) { ...F } }`)} } fragment F on ${type} { ${fields.join(" ")} }`
  return { query, variables: { v: true } }
}

const fragmentsOfFragments = () => {
  const fields = names(4, 45_000).map((alias) => `${alias}: id`)
  return `{ ${places(19, (i) => `r${i}: me { ...G${i} }`)} } ${places(19, (i) => `fragment G${i} on User { ...F username }`)} fragment F on User { ${fields.join(" ")} }`
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
      name: "fragments of fragments",
      make: fragmentsOfFragments,
      perSecond: 14,
      forbidden: FORBIDDEN,
    }),
    inConversation("conditional spreads to chat", (id) =>
      conditional(`conversation(id: "${id}")`, "Conversation"),
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
