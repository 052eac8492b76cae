import { type Group, openGroup } from "./group.ts"
import type { End, ParleyEnd } from "./lines.ts"
import { openPairs, type Pairs } from "./pairs.ts"
import { manyTokens, type RequestRun, sendRequests } from "./requests.ts"
import { type Fleet, type FleetOptions, openFleet } from "./resuming.ts"
import { openMany, openSocket, type Socket } from "./socket.ts"
import { createSigner, type Issuer } from "./tokens.ts"

/** What the load process can be told to do. Between two calls it keeps what it has opened, under a name. */
export const jobs = {
  async openPairs({ name, ends }: { name: string; ends: [End, End][] }) {
    pairs.set(name, await openPairs(ends))
  },
  saturate: ({ name, ...options }: { name: string; seconds: number; inFlight: number }) =>
    named(pairs, name).saturate(options),
  atRate: ({ name, ...options }: { name: string; perSecond: number; seconds: number }) =>
    named(pairs, name).atRate(options),
  oneByOne: ({ name, messages }: { name: string; messages: number }) =>
    named(pairs, name).oneByOne(messages),

  async openGroup({
    name,
    sender,
    readers,
  }: {
    name: string
    sender: ParleyEnd
    readers: string[]
  }) {
    groups.set(name, await openGroup(sender, readers))
  },
  sendToGroup: ({
    name,
    ...options
  }: {
    name: string
    conversation: string
    readers: number
    messages: number
  }) => named(groups, name).send(options),

  /** Signs the tokens of the requests to come, so that this is not part of what is measured. */
  async signTokens({ issuer, users, count }: { issuer: Issuer; users: string[]; count: number }) {
    tokens = manyTokens(createSigner(issuer), users, count)
  },
  sendRequests: (run: RequestRun) => sendRequests(run, tokens),

  /** Opens sockets of users who all differ, with one subscription each, and leaves them open. */
  async openIdle({ issuer, url, document, count }: IdleSockets) {
    const sign = createSigner(issuer)
    const listener = {
      onEvent() {},
      onAnswer() {},
      onFailure(error: Error) {
        if (!closing) throw error
      },
    }
    idle = await openMany(count, () =>
      openSocket(url, sign(Bun.randomUUIDv7()), document, listener),
    )
  },
  async openFleet(options: FleetOptions) {
    fleet = openFleet(options)
    await fleet.open()
  },
  comeback() {
    if (!fleet) throw new Error("No fleet is open.")
    return fleet.comeback()
  },

  async closeIdle() {
    closing = true
    for (const socket of idle) socket.close()
    idle = []
  },
}

export type Jobs = typeof jobs

interface IdleSockets {
  issuer: Issuer
  url: string
  document: string
  count: number
}

const pairs = new Map<string, Pairs>()
const groups = new Map<string, Group>()
let tokens: string[] = []
let idle: Socket[] = []
let fleet: Fleet | undefined
let closing = false

function named<T>(things: Map<string, T>, name: string): T {
  const thing = things.get(name)
  if (!thing) throw new Error(`Nothing is open under the name ${name}.`)
  return thing
}
