import type { ConversationState } from "../domain/conversation-state.ts"
import type { Entry } from "../domain/entry.ts"
import type { StateCache } from "../domain/state-cache.ts"
import type { Nodes } from "../store/nodes.ts"
import type { NumberRange } from "./outbox.ts"

const PAGE = 200

export interface AnnouncerOptions {
  nodes: Pick<Nodes, "storedBy">
  states: StateCache
  /** Tells this node's subscriptions and the bus; resolves once the other nodes will hear of it. */
  announce(entry: Entry, state: ConversationState): Promise<void> | undefined
}

/**
 * Announces from the log what may never have been announced. It goes to those who are members now: a user who has left
 * since then is told by the announcement of their leaving, before which a feed reads what it has missed. An entry that
 * had been announced already does no harm: every feed goes by its seq.
 */
export function createAnnouncer({ nodes, states, announce }: AnnouncerOptions) {
  async function tell(entry: Entry): Promise<void> {
    const state = await states.get(entry.conversation)
    if (state.head < entry.seq) await states.catchUp(state)
    await announce(entry, state)
  }

  /** Goes through what a node stored under the numbers of a range. @throws where the store or the bus does not answer. */
  return async function announceRange(node: string, range: NumberRange): Promise<void> {
    for (let after = range.from - 1; after < range.to; ) {
      const page = await nodes.storedBy(node, after, PAGE)
      const wanted = page.filter(({ number }) => number <= range.to && range.wants(number))
      // Together, so that they share a request to the bus; the bus keeps their order.
      await Promise.all(wanted.map(({ entry }) => tell(entry)))
      after = page.length < PAGE ? range.to : page.at(-1)!.number
      range.done(
        after,
        wanted.map(({ number }) => number),
      )
    }
  }
}
export type Announcer = ReturnType<typeof createAnnouncer>
