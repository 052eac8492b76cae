import type { Upstreamed } from "./ask.ts"
import type { Node } from "./pool.ts"

/** Ticks in which all who are on a node that is to be left have gone: a second. */
const LEAVE_TICKS = 10
const LEAVE_AT_LEAST = 10
/** Ticks in which the gateway looks at every subscriber once, and moves those whose place is elsewhere by now: 15 s. */
const SETTLE_TICKS = 150
const SETTLE_AT_LEAST = 2

export interface Moves {
  /** Places may have changed: the gateway looks at every subscriber again, little by little. */
  begin(): void
  /** Moves as many as are due; called ten times a second. */
  tick(): void
}

/**
 * Moves subscriptions to where they belong. Each ends with UNAVAILABLE and is opened anew by its client, with the
 * positions of that moment: nothing is lost, however long a subscriber stays in between. Those on a node that is draining or gone are
 * quick, since it is about to stop. Those whose place is on a node that has just come have time: they are well where
 * they are, and a node that comes must not begin with a crowd.
 */
export function createMoves<S extends Upstreamed>(
  nodes: () => readonly Node<S>[],
  placeOf: (user: string) => Node<S> | undefined,
): Moves {
  /** How many of a node's go in each tick. */
  const leaving = new Map<Node<S>, number>()
  let again = false
  let looking: { at: Iterator<readonly [Node<S>, S]>; each: number } | undefined

  function* everySubscriber(): Generator<readonly [Node<S>, S]> {
    for (const node of nodes()) {
      for (const subscription of node.link.subscriptions()) yield [node, subscription] as const
    }
  }

  function lookAtAll() {
    const load = nodes().reduce((sum, { link }) => sum + link.load, 0)
    return {
      at: everySubscriber(),
      each: Math.max(SETTLE_AT_LEAST, Math.ceil(load / SETTLE_TICKS)),
    }
  }

  function leave(node: Node<S>): void {
    let left =
      leaving.get(node) ?? Math.max(LEAVE_AT_LEAST, Math.ceil(node.link.load / LEAVE_TICKS))
    leaving.set(node, left)
    for (const subscription of node.link.subscriptions()) {
      if (left-- <= 0) return
      subscription.moved()
    }
  }

  function settle({ at, each }: NonNullable<typeof looking>): void {
    for (let left = each; left > 0; left--) {
      const { done, value } = at.next()
      if (done) {
        looking = again ? lookAtAll() : undefined
        again = false
        return
      }
      const [node, subscription] = value
      const place =
        node.draining || subscription.user === undefined ? undefined : placeOf(subscription.user)
      if (place && place !== node && place.link.events === "up") subscription.moved()
    }
  }

  return {
    begin() {
      if (looking) again = true
      else looking = lookAtAll()
    },
    tick() {
      const all = nodes()
      const hasPlace = all.some(({ link, draining }) => link.events === "up" && !draining)
      for (const node of all) {
        if (!node.draining) leaving.delete(node)
        else if (hasPlace && node.link.load > 0) leave(node)
      }
      if (looking) settle(looking)
    },
  }
}
