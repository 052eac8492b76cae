/** Chance that can be repeated: the same seed gives the same numbers in the same order. */
export interface Random {
  /** From 0 up to, but not, 1. */
  next(): number
  /** From `from` up to, but not, `to`. */
  between(from: number, to: number): number
  /** A whole number from 0 up to, but not, `below`. */
  below(below: number): number
  chance(probability: number): boolean
  /** @throws RangeError where there is nothing to choose from. */
  pick<T>(of: readonly T[]): T
  shuffled<T>(of: readonly T[]): T[]
  /** Waits between events that come at random, `mean` apart. */
  exponential(mean: number): number
  /** A source of its own for one who acts beside others: what they draw changes nothing for it. */
  fork(name: string): Random
}

/** Mulberry32, seeded by the hash of a text. */
export function createRandom(seed: string): Random {
  let state = Number(BigInt(Bun.hash(seed)) & 0xffff_ffffn)

  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  const below = (limit: number) => Math.floor(next() * limit)
  return {
    next,
    between: (from, to) => from + next() * (to - from),
    below,
    chance: (probability) => next() < probability,
    pick(of) {
      if (of.length === 0) throw new RangeError("there is nothing to pick from")
      return of[below(of.length)]!
    },
    shuffled(of) {
      const mixed = [...of]
      for (let i = mixed.length - 1; i > 0; i--) {
        const j = below(i + 1)
        ;[mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!]
      }
      return mixed
    },
    exponential: (mean) => -Math.log(1 - next()) * mean,
    fork: (name) => createRandom(`${seed}/${name}`),
  }
}
