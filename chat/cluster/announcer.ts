import type { ConversationState } from "../domain/conversation-state.ts"
import type { Entry } from "../domain/entry.ts"
import type { StateCache } from "../domain/state-cache.ts"
import type { Nodes } from "../store/nodes.ts"
import type { Stretch } from "./account.ts"

const PAGE = 200

export interface AnnouncerOptions {
  nodes: Pick<Nodes, "storedBy">
  states: StateCache
  /** Tells this node's subscriptions and the bus; resolves once the other nodes will hear of it. */
  announce(entry: Entry, state: ConversationState): Promise<void> | undefined
}

/**
 * Announces from the log what may never have been announced. It goes to those who are members now: whoever has left
 * since then is told by the announcement of their leaving, before which a feed reads what it has missed. An entry that
 * had been announced already harms nobody: everyone goes by its seq.
 */
export function createAnnouncer({ nodes, states, announce }: AnnouncerOptions) {
  async function tell(entry: Entry): Promise<void> {
    const state = await states.get(entry.conversation)
    if (state.head < entry.seq) await states.catchUp(state)
    await announce(entry, state)
  }

  /** Goes through what a node stored under the numbers of a stretch. @throws where the store or the bus does not answer. */
  return async function announceStretch(node: string, stretch: Stretch): Promise<void> {
    for (let after = stretch.from - 1; after < stretch.to; ) {
      const page = await nodes.storedBy(node, after, PAGE)
      const wanted = page.filter(({ number }) => number <= stretch.to && stretch.wants(number))
      // Together, so that they share a request to the bus; the bus keeps their order.
      await Promise.all(wanted.map(({ entry }) => tell(entry)))
      after = page.length < PAGE ? stretch.to : page.at(-1)!.number
      stretch.done(
        after,
        wanted.map(({ number }) => number),
      )
    }
  }
}
export type Announcer = ReturnType<typeof createAnnouncer>
