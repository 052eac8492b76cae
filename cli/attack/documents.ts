import type { Target, Variant } from "./attack.ts"
import { Client } from "./client.ts"
import { type FloodOptions, flood, REFUSALS, Tally } from "./flood.ts"
import { type Account, signUp } from "./people.ts"

export interface DocumentFlood extends Partial<FloodOptions> {
  name: string
  /** Another document each time. */
  make(index: number): { query: string; variables?: object } | string
  /** How many accounts ask, each from its own address; 0: strangers do. */
  accounts?: number
  /** Codes that must not be answered, beside INTERNAL and no answer at all. */
  forbidden?: RegExp
  /** An answer has so many MiB at most. */
  largestMb?: number
}

/** An answer is no larger than 2 MiB unless an operator sets it so, and its envelope. */
const LARGEST_MB = 2.2
const FORBIDDEN = /^(INTERNAL|LOST|HTTP|NO_CODE)$/

/** A variant that floods the gateway with documents over HTTP. */
export function floodWith(options: DocumentFlood): Variant {
  return { name: options.name, run: (target) => run(options, target) }
}

async function run(options: DocumentFlood, target: Target): Promise<Tally> {
  const { accounts = 0 } = options
  const tally = new Tally()
  const people: { client: Client }[] = []
  for (let i = 0; i < accounts; i++) people.push(await signUp(target.urls[i % target.urls.length]!))
  if (people.length === 0) people.push(...target.urls.map((url) => ({ client: new Client(url) })))
  await floodAs(people, options, target, tally)
  return tally
}

/** The same by people who are there already. */
export async function floodAs(
  people: readonly { client: Client }[],
  options: DocumentFlood,
  target: Target,
  tally: Tally,
): Promise<void> {
  const { atOnce = 8, forbidden, largestMb = LARGEST_MB } = options
  const flooding = { ...options, lasts: options.lasts ?? target.lasts, atOnce }
  await flood(flooding, async (index) => {
    const made = options.make(index)
    const { query, variables } = typeof made === "string" ? { query: made } : made
    const reply = await people[index % people.length]!.client.ask(query, variables, {
      within: 15_000,
    })
    tally.reply(reply)
    const { code = "ok" } = reply
    tally.expect(!FORBIDDEN.test(code), `answered ${code}`)
    if (forbidden) tally.expect(!forbidden.test(code), `answered ${code}`)
    if (code !== "ok" && !REFUSALS.test(code)) await Bun.sleep(100)
    // A client that is told to wait and does not is what is tried here, but it costs the attacker, too.
    if (code === "RATE_LIMITED") await Bun.sleep(20)
  })
  const largest = tally.of("largestKb") / 1024
  tally.expect(largest <= largestMb, `an answer of ${largest.toFixed(1)} MiB`)
}

/** Someone with a group of two, and so many messages in it. */
export interface Furnished {
  owner: Account
  other: Account
  conversation: string
}
