import type { Turns } from "@parley/link/turns.ts"
import type { Work } from "@parley/link/work.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import {
  MISSED_IN_ALL,
  MISSED_IN_ONE,
  REPLAY_LINK_BYTES,
  REPLAY_PAGE,
  REPLAY_PAGE_BYTES,
  REPLAY_STALL_MS,
} from "../limits.ts"
import type { Store } from "../store/store.ts"
import type { Hub, Registered } from "./hub.ts"
import type { ReplaySemaphore } from "./replay-semaphore.ts"
import { positionsSince } from "./since.ts"
import {
  type DeliveryEvent,
  eventBytes,
  isCovered,
  requestContextOf,
  type Subscription,
} from "./subscription.ts"

/** Between two looks at whether a gateway has read what waits for it, in ms. */
const LINK_LOOK_MS = 10

/** How far the client has read each conversation's log. */
export type Positions = ReadonlyMap<string, number>

interface Missed {
  conversation: string
  after: number
  upTo: number
}

export interface ReplayOptions {
  hub: Hub
  store: Pick<Store, "entries" | "seqAt">
  log: Logger
  turns: Turns
  semaphore: ReplaySemaphore
  onReplay?(entries: number, outcome: ReplayOutcome): void
}

/** Everything that was missed was sent; a part has to be loaded anew; the subscription ended before the replay did. */
export type ReplayOutcome = "recovered" | "reload" | "ended"

/**
 * Brings a subscription from its positions to live, in three phases:
 *
 * 1. *Replay*: the subscription is registered first, so what is new collects in its buffer; then the entries after its
 *    positions are read from the log and sent, a page at a time, as fast as the gateway reads them.
 * 2. *Cut-over*: `Ready` says what was recovered; the buffer follows, without what the replay has covered.
 * 3. *Live*: the moment the buffer is empty, the hub sends straight to the subscription.
 *
 * Without positions there is no phase 1. A subscription that cannot be brought up to date ends with UNAVAILABLE; its client
 * tries again from where it is. Few replays run at once; the subscription of one that waits is not registered yet.
 * @param since ms since the epoch: of conversations without a position, the client has everything up to then.
 */
export async function replay(
  subscription: Subscription,
  positions: Positions | undefined,
  options: ReplayOptions,
  since?: number,
): Promise<void> {
  const { hub, store, semaphore } = options
  let entries = 0
  let outcome: ReplayOutcome = "ended"
  const leave = await semaphore.enter(subscription.user)
  const work = options.turns.work({
    person: subscription.user,
    isForEvents: true,
    bytes: Number.POSITIVE_INFINITY,
    tooLarge: () => unavailable("The replay is too long."),
    isWaitedFor: () => !hasEnded(subscription),
  })
  work.begin()
  try {
    if (hasEnded(subscription)) return
    const registered = await hub.register(subscription, () => work.turn())
    const start =
      since === undefined
        ? positions
        : await positionsSince(registered, positions ?? new Map(), since, store, () => work.turn())
    const { missed, reload } = start ? plan(registered, start) : { missed: [], reload: [] }
    for (const stretch of missed) entries += await sendMissed(subscription, stretch, store, work)
    await send(subscription, { kind: "ready", recovered: reload.length === 0, reload })
    await goLive(subscription, work)
    hub.settle(subscription)
    if (!hasEnded(subscription)) outcome = reload.length === 0 ? "recovered" : "reload"
  } catch (error) {
    if (hasEnded(subscription)) return
    // A refusal says itself what the client can do; what else failed may work the next time.
    if (error instanceof ParleyError && error.code !== "UNAVAILABLE") return subscription.end(error)
    options.log.warn("replay failed", { user: subscription.user, error })
    subscription.end(unavailable("The missed events cannot be read just now.", error))
  } finally {
    work.done()
    leave()
    options.onReplay?.(entries, outcome)
  }
}

/** What to replay, and what has been missed for too long. The smallest stretches first: as many as fit are recovered. */
export function plan(
  registered: readonly Registered[],
  positions: Positions,
): { missed: Missed[]; reload: string[] } {
  const missed: Missed[] = []
  const reload: string[] = []
  for (const { membership, upTo } of registered) {
    const { conversation, since, until } = membership
    const position = positions.get(conversation)
    // A conversation that was left, and that the client does not know of, has nothing left to say.
    if (until !== null && position === undefined) continue
    // A position beyond the head comes from a log that is not this one: a store restored from a backup.
    if (position !== undefined && position > Math.max(upTo, membership.head)) {
      reload.push(conversation)
      continue
    }
    const after = Math.max(position ?? 0, since - 1)
    if (after < upTo) missed.push({ conversation, after, upTo })
  }
  missed.sort((a, b) => a.upTo - a.after - (b.upTo - b.after))
  let total = 0
  const fitting = missed.filter(({ conversation, after, upTo }) => {
    total += upTo - after
    if (upTo - after <= MISSED_IN_ONE && total <= MISSED_IN_ALL) return true
    reload.push(conversation)
    return false
  })
  return { missed: fitting, reload }
}

/** Answers how many entries were sent. */
async function sendMissed(
  subscription: Subscription,
  { conversation, after, upTo }: Missed,
  store: ReplayOptions["store"],
  work: Work,
): Promise<number> {
  let sent = 0
  let position = after
  while (position < upTo && !hasEnded(subscription)) {
    const limit = Math.min(REPLAY_PAGE, upTo - position)
    const entries = await store.entries(conversation, position, limit, REPLAY_PAGE_BYTES)
    for (const entry of entries) {
      if (subscription.link.waitingBytes() > REPLAY_LINK_BYTES) await linkToBeRead(subscription)
      const turn = work.turn()
      if (turn) await turn
      await send(subscription, { kind: "entry", entry })
      position = entry.seq
      sent += 1
    }
    if (entries.length === 0) throw new Error(`${conversation} ends at ${position}, not ${upTo}`)
    // A long replay is one of many things that the node has to do.
    await new Promise(setImmediate)
  }
  return sent
}

/** Resolves once little waits on the link. @throws ParleyError UNAVAILABLE where the gateway does not read. */
async function linkToBeRead(subscription: Subscription): Promise<void> {
  const deadline = performance.now() + REPLAY_STALL_MS
  while (subscription.link.waitingBytes() > REPLAY_LINK_BYTES && !hasEnded(subscription)) {
    if (performance.now() > deadline) throw unavailable("The gateway does not read.")
    await Bun.sleep(LINK_LOOK_MS)
  }
}

async function goLive(subscription: Subscription, work: Work): Promise<void> {
  // The buffer grows while it is being sent; the subscription is live in the very moment in which it is empty.
  for (let next = subscription.buffer.shift(); next; next = subscription.buffer.shift()) {
    subscription.bufferedBytes -= eventBytes(next)
    if (isCovered(subscription, next)) continue
    const turn = work.turn()
    if (turn) await turn
    await send(subscription, next)
  }
  if (subscription.phase === "replaying") subscription.phase = "live"
}

async function send(subscription: Subscription, event: DeliveryEvent): Promise<void> {
  if (subscription.phase === "ended") return
  const { compiled, user, link, id } = subscription
  const rendered = compiled.render(event, user)
  const payload = rendered instanceof Promise ? await rendered : rendered
  if (!hasEnded(subscription)) link.deliver([id], payload, requestContextOf(event))
}

/** The subscription may have ended since the compiler last looked. */
const hasEnded = ({ phase }: Subscription) => phase === "ended"
