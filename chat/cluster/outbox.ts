import type { Outbox } from "../domain/outbox.ts"
import { OUTBOX_MAX_IN_DOUBT } from "../limits.ts"
import type { OutboxPosition } from "../store/nodes.ts"

/** Numbers to look up in the log again, both ends included. */
export interface NumberRange {
  from: number
  to: number
  /** Whether an entry of the range is still to be announced. */
  wants(number: number): boolean
  /** Everything up to that number has been looked up; of what was found, these have been announced now. */
  done(upTo: number, announced: readonly number[]): void
}

/** What a node keeps of its outbox in memory: numbers, and never an entry. The entries are in the log. */
export interface NodeOutbox extends Outbox {
  /** The present life of the node. */
  readonly node: string
  /** All entries of this life up to this number have been announced. */
  announced(): number
  /** Nothing of this life is left to announce. */
  isSettled(): boolean
  /** What the bus would not take: announced from the log once it takes something again. */
  unannounced(): NumberRange | undefined
  /** Writes whose outcome the store did not tell, once they have had time to arrive. */
  doubts(now: number): NumberRange | undefined
  /** For an operator who watches a node: entries that may not have been announced yet, and writes of unknown outcome. */
  stats(): { unannounced: number; doubts: number }
  /** Begins a new life: another node has become the heir of the present one, and announces what is left of it. */
  renew(): void
}

/** A write that failed may still arrive, within the time-outs of the connection. In ms. */
const TIMES = { lookAfter: 6_000, giveUpAfter: 30_000 }

export interface OutboxOptions {
  /** A new id for a life of this node. */
  newLife(): string
  /** Monotonic, in ms. */
  now(): number
  times?: typeof TIMES
}

export function createOutbox({ newLife, now, times = TIMES }: OutboxOptions): NodeOutbox {
  let node = newLife()
  let last = 0
  /** Stored or being stored, and not announced yet; in ascending order, as numbers are given out. */
  let open = new Set<number>()
  /** Beside each: when its write failed. */
  let doubtful = new Map<number, number>()
  let behind: { from: number; to: number } | undefined
  /** The lowest number that has fallen behind since a range was handed out. */
  let fellBehind = Number.POSITIVE_INFINITY

  function fallBehind(number: number): void {
    open.delete(number)
    fellBehind = Math.min(fellBehind, number)
    behind = behind
      ? { from: Math.min(behind.from, number), to: Math.max(behind.to, number) }
      : { from: number, to: number }
  }

  function ifPresent(position: OutboxPosition, act: (number: number) => void): void {
    if (position.node === node) act(position.number)
  }

  function announced(): number {
    const [first = last + 1] = open
    return Math.min(first, behind?.from ?? first, lowest(doubtful, first)) - 1
  }

  return {
    get node() {
      return node
    },

    announced,
    isSettled: () => announced() === last,

    reserve(count) {
      const number = last + 1
      for (let i = 0; i < count; i++) open.add(number + i)
      last += count
      return { node, number }
    },

    stored(position, published) {
      if (!published) return ifPresent(position, (number) => open.delete(number))
      published.then(
        () => ifPresent(position, (number) => open.delete(number)),
        () => ifPresent(position, fallBehind),
      )
    },

    unused: (position) => ifPresent(position, (number) => open.delete(number)),

    doubtful({ node: of, number }, count) {
      if (of !== node) return
      for (let i = number; i < number + count; i++) {
        open.delete(i)
        if (doubtful.size < OUTBOX_MAX_IN_DOUBT) doubtful.set(i, now())
        else fallBehind(i)
      }
    },

    unannounced() {
      if (!behind) return undefined
      fellBehind = Number.POSITIVE_INFINITY
      return {
        ...behind,
        wants: () => true,
        done(upTo) {
          if (!behind) return
          // What fell behind meanwhile may have been stored after that place was read.
          const from = Math.min(upTo + 1, fellBehind)
          behind = from <= behind.to ? { from, to: behind.to } : undefined
        },
      }
    },

    doubts(at) {
      const due = new Set<number>()
      for (const [number, since] of doubtful) if (at - since >= times.lookAfter) due.add(number)
      if (due.size === 0) return undefined
      return {
        from: Math.min(...due),
        to: Math.max(...due),
        wants: (number) => due.has(number),
        done(upTo, announced) {
          for (const number of announced) doubtful.delete(number)
          for (const number of due) {
            if (number <= upTo && at - (doubtful.get(number) ?? at) >= times.giveUpAfter) {
              doubtful.delete(number)
            }
          }
        },
      }
    },

    stats: () => ({ unannounced: last - announced(), doubts: doubtful.size }),

    renew() {
      node = newLife()
      last = 0
      open = new Set()
      doubtful = new Map()
      behind = undefined
    },
  }
}

function lowest(numbers: ReadonlyMap<number, unknown>, otherwise: number): number {
  let found = otherwise
  for (const number of numbers.keys()) if (number < found) found = number
  return found
}
