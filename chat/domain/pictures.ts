import { LruMap } from "@parley/service/lru.ts"
import type { Store } from "../store/store.ts"
import { fold, type Picture } from "./picture.ts"

/** Large enough for every conversation that is busy on one node; a forgotten one is loaded again. */
const MAX_PICTURES = 20_000
const CATCH_UP_PAGE = 500

export interface Pictures {
  /** The picture this node has, or the store's; possibly behind other nodes, never ahead of the log. */
  get(conversation: string): Promise<Picture>
  /** What this node has at hand, without asking the store. */
  peek(conversation: string): Picture | undefined
  /** Folds in what other nodes have appended since. */
  catchUp(picture: Picture): Promise<void>
  /**
   * Remembers that another node says it has stored an entry: whoever writes next looks at the log first, and need not
   * lose a seq to learn of it. What the entry says is learnt from the log alone.
   */
  hear(conversation: string, seq: number): void
  /** Forgets a picture that may be wrong, after a write with an unknown outcome. */
  forget(conversation: string): void
}

export function createPictures(store: Store): Pictures {
  const known = new LruMap<string, Picture>(MAX_PICTURES)
  const loading = new Map<string, Promise<Picture>>()

  async function load(conversation: string): Promise<Picture> {
    try {
      const picture = await store.picture(conversation)
      // A conversation that does not exist is not worth a place: anyone can ask for any id.
      if (picture.head > 0) known.set(conversation, picture)
      return picture
    } finally {
      loading.delete(conversation)
    }
  }

  return {
    peek: (conversation) => known.get(conversation),
    async get(conversation) {
      const picture = known.get(conversation)
      if (picture) return picture
      const pending = loading.get(conversation) ?? load(conversation)
      if (!known.get(conversation)) loading.set(conversation, pending)
      return pending
    },
    async catchUp(picture) {
      for (;;) {
        const missed = await store.entries(picture.id, picture.head, CATCH_UP_PAGE)
        // Several may be catching the same picture up: each folds in what the others have not.
        for (const entry of missed) if (entry.seq > picture.head) fold(picture, entry)
        if (picture.head > 0) known.set(picture.id, picture)
        if (missed.length < CATCH_UP_PAGE) break
      }
      // What is not in the log by now is not waited for.
      picture.heard = picture.head
    },
    hear(conversation, seq) {
      const picture = known.get(conversation)
      if (picture) picture.heard = Math.max(picture.heard, seq)
    },
    forget: (conversation) => void known.delete(conversation),
  }
}
