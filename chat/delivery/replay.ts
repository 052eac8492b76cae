import { unavailable } from "@parley/service/errors.ts"
import type { Logger } from "@parley/service/log.ts"
import type { Store } from "../store/store.ts"
import type { Hub, Registered } from "./hub.ts"
import { causeOf, isCovered, type Session, type SessionEvent } from "./session.ts"

/** More missed entries than this, in one conversation or in all, and a reload is cheaper than a replay. */
export const MAX_MISSED_IN_ONE = 1_000
export const MAX_MISSED_IN_ALL = 5_000
const PAGE = 200

/** How far the client has read each conversation's log. */
export type Positions = ReadonlyMap<string, number>

interface Missed {
  conversation: string
  after: number
  upTo: number
}

export interface ReplayOptions {
  hub: Hub
  store: Pick<Store, "entries">
  log: Logger
  onReplay?(entries: number, outcome: ReplayOutcome): void
}

/** Everything that was missed was sent; a part has to be loaded anew; the session ended before the replay did. */
export type ReplayOutcome = "recovered" | "reload" | "ended"

/**
 * Brings a session from its positions to live, in three phases:
 *
 * 1. *Replay*: the session is registered first, so what is new collects in its buffer; then the entries after its
 *    positions are read from the log and sent.
 * 2. *Cut-over*: `Ready` says what was recovered; the buffer follows, without what the replay has covered.
 * 3. *Live*: the moment the buffer is empty, the hub sends straight to the session.
 *
 * Without positions there is no phase 1. A session that cannot be brought up to date ends with UNAVAILABLE; its client
 * tries again from where it is.
 */
export async function replay(
  session: Session,
  positions: Positions | undefined,
  options: ReplayOptions,
): Promise<void> {
  let entries = 0
  let outcome: ReplayOutcome = "ended"
  try {
    const registered = await options.hub.register(session)
    const { missed, reload } = positions ? plan(registered, positions) : { missed: [], reload: [] }
    for (const stretch of missed) entries += await sendMissed(session, stretch, options.store)
    await send(session, { kind: "ready", recovered: reload.length === 0, reload })
    await goLive(session)
    options.hub.settle(session)
    if (!hasEnded(session)) outcome = reload.length === 0 ? "recovered" : "reload"
  } catch (error) {
    if (session.phase === "ended") return
    options.log.warn("replay failed", { user: session.user, error })
    session.end(unavailable("The missed events cannot be read just now.", error))
  } finally {
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
    if (upTo - after <= MAX_MISSED_IN_ONE && total <= MAX_MISSED_IN_ALL) return true
    reload.push(conversation)
    return false
  })
  return { missed: fitting, reload }
}

/** Answers how many entries were sent. */
async function sendMissed(
  session: Session,
  { conversation, after, upTo }: Missed,
  store: ReplayOptions["store"],
): Promise<number> {
  let sent = 0
  let position = after
  while (position < upTo && session.phase !== "ended") {
    const entries = await store.entries(conversation, position, Math.min(PAGE, upTo - position))
    for (const entry of entries) {
      await send(session, { kind: "entry", entry })
      position = entry.seq
      sent += 1
    }
    if (entries.length === 0) throw new Error(`${conversation} ends at ${position}, not ${upTo}`)
    // A long replay is one of many things that the node has to do.
    await new Promise(setImmediate)
  }
  return sent
}

async function goLive(session: Session): Promise<void> {
  // The buffer grows while it is being sent; the session is live in the very moment in which it is empty.
  for (let next = session.buffer.shift(); next; next = session.buffer.shift()) {
    if (!isCovered(session, next)) await send(session, next)
  }
  if (session.phase === "replaying") session.phase = "live"
}

async function send(session: Session, event: SessionEvent): Promise<void> {
  if (session.phase === "ended") return
  const { program, user, link, id } = session
  const rendered = program.render(event, user)
  const payload = rendered instanceof Promise ? await rendered : rendered
  if (!hasEnded(session)) link.deliver([id], payload, causeOf(event))
}

/** The session may have ended since the compiler last looked. */
const hasEnded = ({ phase }: Session) => phase === "ended"
