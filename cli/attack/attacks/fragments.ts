import type { Attack, Variant } from "../attack.ts"
import { Client } from "../client.ts"
import { flood, Tally } from "../flood.ts"
import { askOver, openLine } from "../line.ts"
import { signUp } from "../people.ts"

const LEVELS = 60

/** Fragments that each spread the next one twice: 2^60 ways from the first to the last, in 2 KB. */
function bomb(last: string, body = (next: string) => `...${next} ...${next}`): string {
  const fragments = Array.from({ length: LEVELS }, (_, level) => {
    const next = level === LEVELS - 1 ? last : `F${level + 1}`
    return `fragment F${level} on Query { ${body(next)} }`
  })
  return `{ ...F0 } ${fragments.join(" ")}`
}

/** By what is at their end, or on the way there. */
export const BOMBS = {
  "an undefined end": bomb("F60"),
  "a cycle at the end": bomb("F0"),
  "through inline fragments": bomb(
    "F60",
    (next) => `... { ...${next} } ... on Query { ...${next} }`,
  ),
  "through fields": bomb("F60", (next) => `a: __typename ...${next} ...${next}`),
  "a defined end": `${bomb("F60")} fragment F60 on Query { __typename }`,
  "inside a field": `{ me { ...F0 } } ${bomb("F60").slice(9).replaceAll("on Query", "on User")}`,
}

const ANSWERED_WITHIN = 2_000

const overHttp = ([name, query]: [string, string]): Variant => ({
  name,
  async run({ urls, lasts }) {
    const tally = new Tally()
    const client = new Client(urls[0]!)
    await flood({ lasts, atOnce: 2, perSecond: 10 }, async () => {
      const reply = await client.ask(query, {}, { within: ANSWERED_WITHIN })
      tally.reply(reply)
      tally.expect(reply.code !== "LOST", "no answer within 2 s to a document of 2 KB")
      tally.expect(!!reply.code, "the document was carried out")
    })
    return tally
  },
})

const overSocket: Variant = {
  name: "over a socket",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    const { address, token } = client
    const line = await openLine({ url: urls[0]!, address, token })
    const bombs = Object.values(BOMBS)
    await flood({ lasts, atOnce: 2, perSecond: 10 }, async (index) => {
      const reply = await askOver(line, bombs[index % bombs.length]!, {}, ANSWERED_WITHIN)
      tally.reply(reply)
      tally.expect(reply.message !== "no answer in time", "no answer within 2 s on a socket")
    })
    line.close()
    return tally
  },
}

export const fragments: Attack = {
  name: "fragments",
  by: "stranger",
  with: "one request of 2 KB whose fragments spread the next one twice, 60 levels deep",
  expected: "`GRAPHQL_VALIDATION_FAILED` at once: each fragment is measured once",
  variants: [...Object.entries(BOMBS).map(overHttp), overSocket],
}
