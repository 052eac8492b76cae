import { NAMED_CONVERSATIONS } from "../limits.ts"
import { hasGap } from "./log.ts"
import type { Conversation } from "./model.ts"
import type { LiveState } from "./store.ts"

/** What `events` is asked with: where the client is. */
export interface Resume {
  /** The conversations whose position is named. */
  after: { conversation: string; seq: number }[]
  /** RFC 3339: every other conversation is known up to its newest entry of then. Null where no time is known. */
  since: string | null
}

/** The nodes' clocks, and what is on its way when an event is applied, differ by less than this, in ms. */
const ALLOWANCE_MS = 60_000

/**
 * Up to when this client has everything. A time counts only once the replay is over: in its midst the newest entry of
 * one conversation says nothing of the others.
 */
export interface Horizon {
  /** An entry of this time (RFC 3339) has been applied. */
  saw(at: string): void
  /** A stream begins: what it brings before `ready` is a replay. */
  begin(): void
  ready(): void
  resume(state: LiveState): Resume
}

/** @param state what is known before the first event: all that the server had when it gave the page. */
export function createHorizon(state: LiveState): Horizon {
  let reached = Math.max(0, ...Object.values(state.conversations).map(newestTime))
  let seen = reached
  let live = false
  return {
    saw(at) {
      seen = Math.max(seen, Date.parse(at) || 0)
      if (live) reached = seen
    },
    begin() {
      live = false
      seen = reached
    },
    ready() {
      live = true
      reached = seen
    },
    resume(state) {
      if (reached === 0)
        return { after: Object.values(state.conversations).map(positionOf), since: null }
      const named = namedOf(state).map(positionOf)
      return { after: named, since: new Date(Math.max(0, reached - ALLOWANCE_MS)).toISOString() }
    },
  }
}

/**
 * Those with a hole, for their positions are behind the time; and the most recent ones: of these the server replays
 * exactly what is missing, and finds it where a position is ahead of a log that was restored from a backup.
 */
function namedOf({ conversations }: LiveState): Conversation[] {
  const present = Object.values(conversations).filter(({ left }) => !left)
  const recent = present.toSorted((a, b) => newestTime(b) - newestTime(a))
  return [
    ...recent.slice(0, NAMED_CONVERSATIONS),
    ...recent.slice(NAMED_CONVERSATIONS).filter(hasGap),
  ]
}

const positionOf = ({ id, position }: Conversation) => ({ conversation: id, seq: position })

/** When something last happened in it, as far as is known here; ms since the epoch. */
export const newestTime = ({ entries, lastMessage, createdAt }: Conversation): number =>
  Math.max(
    ...[entries.at(-1)?.at, lastMessage?.sentAt, createdAt].map((at) => Date.parse(at ?? "") || 0),
  )
