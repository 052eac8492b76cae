import { SEND } from "../../../testing/operations.ts"
import type { Attack, Target, Variant } from "../attack.ts"
import { flood, Tally } from "../flood.ts"
import { askOver, codeIn, type Line, openLine } from "../line.ts"
import { type Account, createGroup, LARGE, sendText, signUp } from "../people.ts"

/** What one account may have taken: the outbox of a long flight at once, and then as much as a person types. */
const BURST = 1_100
const PER_SECOND = 20
const BURST_BYTES = 4 * 2 ** 20
const BYTES_PER_SECOND = 2 ** 20

interface FloodOf {
  shared: boolean
  text: string
  sockets: number
}

/** Two other members of the group talk: what one member causes must not be refused to another. */
async function watch(
  url: string,
  group: string,
  people: readonly Account[],
  lasts: number,
  tally: Tally,
) {
  const [talker, reader] = people as [Account, Account]
  const { address, token } = reader.client
  const line = await openLine({
    url,
    address,
    token,
    onClosed: (code) => tally.count(`member ${code}`),
  })
  line.subscribe(
    "subscription { events { __typename } }",
    {},
    {
      next() {},
      over: (why) => tally.count(`member ${codeIn(why) ?? why.slice(0, 4)}`),
    },
  )
  await flood({ lasts, atOnce: 4, perSecond: 4 }, async () => {
    const reply = await sendText(talker, group, "may I?")
    tally.count(`member ${reply.code ?? "sent"}`)
    tally.expect(reply.code === undefined, `another member's message was refused: ${reply.code}`)
  })
  tally.expect(
    line.closed === undefined,
    `another member's socket was closed: ${line.closed?.code}`,
  )
  line.hangUp()
}

const variant = (name: string, { shared, text, sockets }: FloodOf): Variant => ({
  name,
  async run({ urls, lasts }: Target) {
    const tally = new Tally()
    const url = urls[0]!
    const [attacker, ...members] = [await signUp(url), await signUp(url), await signUp(url)]
    const group = await createGroup(attacker!, shared ? members.map(({ id }) => id) : [])
    const { address, token } = attacker!.client
    const lines: Line[] = []
    for (let i = 0; i < sockets; i++) {
      const line = await openLine({ url, address, token }).catch(() => undefined)
      if (line) lines.push(line)
    }
    const watched = shared ? watch(url, group, members, lasts, tally) : undefined
    await flood({ lasts, atOnce: 100 }, async (index) => {
      const input = { id: Bun.randomUUIDv7(), conversation: group, text }
      const line = lines[index % Math.max(1, lines.length)]
      const reply = line
        ? await askOver(line, SEND, { input }, 5_000)
        : await attacker!.client.ask(SEND, { input })
      tally.count(reply.code ?? "sent")
      if (reply.code) await Bun.sleep(20)
    })
    await watched
    for (const line of lines) line.hangUp()
    const seconds = lasts / 1_000
    const sent = tally.of("sent")
    const mib = (sent * Buffer.byteLength(text)) / 2 ** 20
    tally.expect(
      sent <= BURST + PER_SECOND * seconds,
      `${sent} messages of one account were taken in ${seconds} s`,
    )
    tally.expect(
      mib * 2 ** 20 <= BURST_BYTES + BYTES_PER_SECOND * seconds,
      `${mib.toFixed(0)} MiB of one account were stored in ${seconds} s`,
    )
    return tally
  },
})

export const floods: Attack = {
  name: "floods",
  by: "member",
  with: "one account that sends as fast as it can, to a group that it shares, or to its own, short or 32 KB",
  expected: "`RATE_LIMITED` for that account alone; what it stores is bounded",
  variants: [
    variant("a shared group", { shared: true, text: "spam ", sockets: 50 }),
    variant("a shared group over HTTP", { shared: true, text: "spam ", sockets: 0 }),
    variant("its own group", { shared: false, text: "spam ", sockets: 50 }),
    variant("32 KB messages", { shared: false, text: LARGE, sockets: 20 }),
    variant("32 KB messages to a shared group", { shared: true, text: LARGE, sockets: 20 }),
  ],
}
