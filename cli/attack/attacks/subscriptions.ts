import type { Attack, Target, Variant } from "../attack.ts"
import { flood, Tally } from "../flood.ts"
import { codeIn, type Line, openLine } from "../line.ts"
import { createGroup, sendText, signUp } from "../people.ts"

const MESSAGES = 200

const EVENT = (of: string) =>
  `subscription { events { __typename ... on MessageSent { message { id conversation { ${of} } } } } }`
const PAGE = "messages(last: 200) { edges { node { id text sender { id name } } } }"
const many = (count: number, each: string) =>
  Array.from({ length: count }, (_, i) => `a${i}: ${each}`).join(" ")

/** A member of a group subscribes dearly, and another one writes five messages a second there. */
const variant = (
  name: string,
  { sockets, each, document }: { sockets: number; each: number; document(index: number): string },
): Variant => ({
  name,
  async run({ urls, lasts }: Target) {
    const tally = new Tally()
    const [owner, other] = [await signUp(urls[0]!), await signUp(urls[0]!)]
    const id = await createGroup(owner, [other.id])
    await flood({ lasts: 5_000, atOnce: 8, atMost: MESSAGES }, (i) => sendText(owner, id, `${i}`))
    const { address, token } = owner.client
    const lines: Line[] = []
    for (let i = 0; i < sockets; i++) {
      const line = await openLine({ url: urls[i % urls.length]!, address, token }).catch(
        () => undefined,
      )
      if (!line) tally.count("refused sockets")
      else lines.push(line)
    }
    for (const [at, line] of lines.entries()) {
      for (let i = 0; i < each; i++) {
        line.subscribe(
          document(at * each + i),
          {},
          {
            next: (payload) =>
              tally.count(JSON.stringify(payload).includes('"errors"') ? "errors" : "events"),
            over: (why) => tally.count(codeIn(why) ?? why.slice(0, 9)),
          },
        )
      }
    }
    await flood({ lasts, atOnce: 2, perSecond: 5 }, (i) => sendText(other, id, `${i}`))
    for (const line of lines) line.hangUp()
    tally.expect(tally.of("INTERNAL") === 0, "answered INTERNAL")
    return tally
  },
})

export const subscriptions: Attack = {
  name: "subscriptions",
  by: "member",
  with: "10 subscriptions that load 9,900 items for each event, while five messages a second come",
  expected:
    "a subscription's document is bounded far below a query's; one that takes long ends with `TOO_LARGE`, and only its own account waits",
  variants: [
    variant("10 of 9,900 items", { sockets: 1, each: 10, document: () => EVENT(many(49, PAGE)) }),
    variant("99 with fields of the viewer", {
      sockets: 1,
      each: 99,
      document: () =>
        EVENT(
          `unreadCount head me { read } members(first: 200) { edges { node { user { id name } } } } messages(last: 50) { edges { node { id text } } }`,
        ),
    }),
    variant("90 documents that differ", {
      sockets: 3,
      each: 30,
      document: (i) => EVENT(`n${i}: unreadCount ${PAGE}`),
    }),
    variant("50 sockets", { sockets: 50, each: 4, document: () => EVENT(PAGE) }),
  ],
}
