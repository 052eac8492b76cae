/**
 * What passes this node while subscriptions are being placed: between the reading of a membership and the placing, an
 * entry may pass a conversation that has no feed here yet, and the feed that is opened then must know of it.
 */
export interface Placings {
  /** A subscription begins to read its memberships; the function that this returns says that it is placed. */
  begin(): () => void
  /** An entry has passed a conversation that has no feed here. */
  note(conversation: string, seq: number): void
  /** The newest entry that is remembered of a conversation; 0 where there is none. */
  newest(conversation: string): number
  /** How many conversations are remembered. */
  readonly size: number
}

export function createPlacings(): Placings {
  /**
   * An epoch begins with a placing. An entry is remembered with the epoch in which it passed, in the order of epochs, and
   * is of no use once all placings that began by then are over.
   */
  const passed = new Map<string, { seq: number; epoch: number }>()
  let epoch = 0
  /** The epochs of the placings under way, in their order. */
  const underWay = new Set<number>()

  function end(began: number): void {
    underWay.delete(began)
    const [oldest = Number.POSITIVE_INFINITY] = underWay
    for (const [conversation, { epoch }] of passed) {
      if (epoch >= oldest) return
      passed.delete(conversation)
    }
  }

  return {
    begin() {
      const began = ++epoch
      underWay.add(began)
      return () => end(began)
    },

    note(conversation, seq) {
      if (underWay.size === 0) return
      const known = passed.get(conversation)?.seq ?? 0
      passed.delete(conversation)
      passed.set(conversation, { seq: Math.max(seq, known), epoch })
    },

    newest: (conversation) => passed.get(conversation)?.seq ?? 0,

    get size() {
      return passed.size
    },
  }
}
