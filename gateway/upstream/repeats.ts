import { MAX_REMEMBERED_OPERATIONS, SUSPECT_MS } from "../limits.ts"
import type { Ask } from "./ask.ts"

/**
 * Decides which operations may be sent to a second node after a link broke, or fell silent, while they were in flight.
 * Most of them have nothing to do with it. One may be what broke it, and must not break the next node too: so only
 * documents are asked again that some node has answered before, and an operation that was in flight at two breaks within
 * a minute, and was not answered in between, is not. Its client may still ask again; it is the gateway that does not.
 */
export interface Repeats {
  /** A node has answered it: its document does no harm by itself, and the operation is not suspect any more. */
  answered(ask: Ask): void
  /** It was in flight when a link broke. Whether it may be sent to one more node; it is suspect from now on. */
  mayRepeat(ask: Ask): boolean
}

export function createRepeats(now: () => number = () => performance.now()): Repeats {
  const harmless = createMemory<true>()
  const suspects = createMemory<number>()
  let lastBreak = Number.NEGATIVE_INFINITY
  const isPast = (at: number) => now() - at >= SUSPECT_MS

  return {
    answered(ask) {
      if (!ask.repeatable) return
      harmless.note(Bun.hash(ask.query), true)
      if (!isPast(lastBreak)) suspects.forget(hashOf(ask))
    },
    mayRepeat(ask) {
      lastBreak = now()
      const hash = hashOf(ask)
      const since = suspects.of(hash)
      suspects.note(hash, lastBreak)
      if (since !== undefined && !isPast(since)) return false
      return harmless.of(Bun.hash(ask.query)) === true
    },
  }
}

type Hash = ReturnType<typeof Bun.hash>

const hashOf = ({ query, variables }: Ask): Hash =>
  Bun.hash(`${query} ${JSON.stringify(variables ?? {})}`)

/** Two generations: what was noted in neither of them is forgotten, at the cost of one look-up in a map. */
function createMemory<V>() {
  const most = MAX_REMEMBERED_OPERATIONS / 2
  let young = new Map<Hash, V>()
  let old = new Map<Hash, V>()
  return {
    of: (hash: Hash) => young.get(hash) ?? old.get(hash),
    note(hash: Hash, value: V) {
      young.set(hash, value)
      if (young.size < most) return
      old = young
      young = new Map()
    },
    forget(hash: Hash) {
      young.delete(hash)
      old.delete(hash)
    },
  }
}
