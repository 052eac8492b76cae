import type { Attack, Target, Variant } from "../attack.ts"
import { floodAs } from "../documents.ts"
import { flood, Tally } from "../flood.ts"
import { openLine } from "../line.ts"
import { type Account, createGroup, signUp } from "../people.ts"

const CREATE = "mutation($t: String!, $m: [ID!]!) { createGroup(title: $t, members: $m) { id } }"
/** What no person makes within some seconds, nor in a day. */
const MANY = 1_000

async function makeMany(
  owner: Account,
  members: string[],
  lasts: number,
  tally: Tally,
): Promise<string[]> {
  const made: string[] = []
  await flood({ lasts, atOnce: 16, atMost: 10_000 }, async (index) => {
    const reply = await owner.client.ask<{ createGroup: { id: string } }>(CREATE, {
      t: `g${index}`,
      m: members,
    })
    tally.count(reply.code ?? "made")
    if (reply.data?.createGroup) made.push(reply.data.createGroup.id)
    else await Bun.sleep(20)
  })
  return made
}

const LOOK = `{ ${Array.from({ length: 20 }, (_, i) => `a${i}: conversations(first: 1) { edges { node { id } } }`).join(" ")} }`

const own = (
  name: string,
  then: (owner: Account, target: Target, tally: Tally) => Promise<void>,
): Variant => ({
  name,
  async run(target) {
    const tally = new Tally()
    const owner = await signUp(target.urls[0]!)
    await makeMany(owner, [], Math.min(target.lasts, 4_000), tally)
    tally.expect(tally.of("made") <= MANY, `${tally.of("made")} groups made in some seconds`)
    await then(owner, target, tally)
    return tally
  },
})

export const groups: Attack = {
  name: "groups",
  by: "member",
  with: "10,000 groups of one's own, and then looks at the list, each of which reads all of them",
  expected:
    "`RATE_LIMITED`: how many groups one makes in a day is bounded; the list is paged in the store",
  variants: [
    own("looks at the list", (owner, target, tally) =>
      floodAs([owner], { name: "look", make: () => LOOK, atOnce: 8 }, target, tally),
    ),
    own("200 subscriptions", async (owner, { urls, lasts }, tally) => {
      const { address, token } = owner.client
      for (let i = 0; i < 4; i++) {
        const line = await openLine({ url: urls[0]!, address, token })
        for (let n = 0; n < 50; n++) {
          line.subscribe(
            "subscription { events(after: []) { __typename } }",
            {},
            { next() {}, over: () => tally.count("over") },
          )
        }
        setTimeout(() => line.hangUp(), lasts)
      }
      await Bun.sleep(lasts)
    }),
    own("the list through pages", (owner, target, tally) =>
      floodAs(
        [owner],
        {
          name: "pages",
          make: () =>
            "{ conversations(first: 200) { edges { node { id title head unreadCount lastMessage { text } } } } }",
          atOnce: 8,
        },
        target,
        tally,
      ),
    ),
  ],
}

/** The victim comes back with a position for each conversation that it knows, as a client does. */
async function comesBack(
  victim: Account,
  url: string,
  positions: string[],
  tally: Tally,
): Promise<void> {
  const { address, token } = victim.client
  const { promise, resolve } = Promise.withResolvers<string>()
  const line = await openLine({
    url,
    address,
    token,
    onClosed: (code) => resolve(`closed ${code}`),
  })
  const after = positions.map((conversation) => ({ conversation, seq: 1 }))
  line.subscribe(
    "subscription($after: [PositionInput!]) { events(after: $after) { __typename } }",
    { after },
    {
      next: (payload) => JSON.stringify(payload).includes("Ready") && resolve("Ready"),
      over: (why) => resolve(why.slice(0, 100)),
    },
  )
  const how = await Promise.race([promise, Bun.sleep(10_000).then(() => "nothing")])
  line.hangUp()
  tally.expect(how === "Ready", `the victim cannot come back: ${how}`)
}

const stranger = (
  name: string,
  attackers: number,
  attack: (of: Account, victim: Account, lasts: number, tally: Tally) => Promise<string[]>,
): Variant => ({
  name,
  async run({ urls, lasts }) {
    const tally = new Tally()
    const victim = await signUp(urls[0]!, "victim")
    const people = await Promise.all(Array.from({ length: attackers }, () => signUp(urls[0]!)))
    const lists = await Promise.all(people.map((one) => attack(one, victim, lasts, tally)))
    await comesBack(victim, urls[0]!, lists.flat(), tally)
    tally.expect(tally.of("made") <= MANY, `${tally.of("made")} groups with a stranger in them`)
    return tally
  },
})

export const strangers: Attack = {
  name: "strangers",
  by: "member",
  with: "thousands of groups with a stranger in them, 800 a second",
  expected:
    "`RATE_LIMITED`: how many people one adds in a day is bounded; coming back costs one small frame",
  variants: [
    stranger("one account", 1, (of, { id }, lasts, tally) => makeMany(of, [id], lasts, tally)),
    stranger("ten accounts", 10, (of, { id }, lasts, tally) => makeMany(of, [id], lasts, tally)),
    stranger("added later", 1, async (of, { id }, lasts, tally) => {
      const made = await makeMany(of, [], lasts / 2, new Tally())
      const added: string[] = []
      await flood({ lasts: lasts / 2, atOnce: 16, atMost: made.length }, async (index) => {
        const reply = await of.client.ask(
          "mutation($c: ID!, $u: [ID!]!) { addMembers(conversation: $c, users: $u) { id } }",
          { c: made[index], u: [id] },
        )
        tally.count(reply.code ?? "made")
        if (!reply.code) added.push(made[index]!)
      })
      return added
    }),
    stranger("out and in again", 1, async (of, { id }, lasts, tally) => {
      const group = await createGroup(of, [id]).catch(() => undefined)
      if (!group) return []
      await flood({ lasts, atOnce: 1 }, async () => {
        await of.client.ask(
          "mutation($c: ID!, $u: ID!) { removeMember(conversation: $c, user: $u) { id } }",
          { c: group, u: id },
        )
        const reply = await of.client.ask(
          "mutation($c: ID!, $u: [ID!]!) { addMembers(conversation: $c, users: $u) { id } }",
          { c: group, u: [id] },
        )
        tally.count(reply.code ?? "made")
      })
      return [group]
    }),
  ],
}
