import { ParleyError } from "./errors.ts"
import {
  BUSY_RETRY_MS,
  FIRST_QUERIES_AT_ONCE,
  MUTATIONS_AT_ONCE,
  MUTATIONS_WAITING,
  QUERIES_AT_ONCE,
  QUERIES_AT_ONCE_IN_ALL,
  QUERIES_WAITING,
} from "./limits.ts"

export type OperationKind = "query" | "mutation"

/** Bounds how many operations of one person are under way at once. The rest wait behind their own, in order. */
export interface Lanes {
  /** @throws ParleyError RATE_LIMITED where too many of the person's wait already. */
  check(person: string | undefined, kind: OperationKind): void
  /** Resolves when the operation may begin; undefined where it may at once. Each is followed by one `leave`. */
  enter(person: string | undefined, kind: OperationKind): Promise<void> | undefined
  leave(person: string | undefined, kind: OperationKind): void
  /** Persons with an operation under way. */
  readonly size: number
}

interface Lane {
  running: number
  waiting: (() => void)[]
}

const BOUNDS = {
  query: {
    atOnce: QUERIES_AT_ONCE,
    inAll: QUERIES_AT_ONCE_IN_ALL,
    firsts: FIRST_QUERIES_AT_ONCE,
    waiting: QUERIES_WAITING,
  },
  // A mutation holds little, and what it appends is batched.
  mutation: {
    atOnce: MUTATIONS_AT_ONCE,
    inAll: Number.POSITIVE_INFINITY,
    firsts: Number.POSITIVE_INFINITY,
    waiting: MUTATIONS_WAITING,
  },
} as const

/** Those of the lanes whose persons wait: the one with the fewest under way is the next to be served. */
function fewest(lanes: Iterable<Lane>, atOnce: number): Lane | undefined {
  let best: Lane | undefined
  for (const lane of lanes) {
    if (lane.running < atOnce && (!best || lane.running < best.running)) best = lane
  }
  return best
}

/** Work without a person is a gateway's for many viewers: it is not bounded here. */
export function createLanes(): Lanes {
  const lanes = { query: new Map<string, Lane>(), mutation: new Map<string, Lane>() }
  const held = { query: new Set<Lane>(), mutation: new Set<Lane>() }
  const running = { query: 0, mutation: 0 }

  function begin(lane: Lane, kind: OperationKind): void {
    lane.running += 1
    running[kind] += 1
  }

  function beginNext(lane: Lane, kind: OperationKind): void {
    begin(lane, kind)
    const next = lane.waiting.shift()
    if (lane.waiting.length === 0) held[kind].delete(lane)
    next?.()
  }

  return {
    check(person, kind) {
      if (person === undefined) return
      const lane = lanes[kind].get(person)
      if (lane && lane.waiting.length >= BOUNDS[kind].waiting) throw tooMany()
    },

    enter(person, kind) {
      if (person === undefined) return undefined
      const lane = lanes[kind].get(person)
      if (!lane) {
        const first: Lane = { running: 0, waiting: [] }
        lanes[kind].set(person, first)
        if (running[kind] < BOUNDS[kind].firsts) {
          begin(first, kind)
          return undefined
        }
        held[kind].add(first)
        return new Promise((resolve) => first.waiting.push(resolve))
      }
      const { atOnce, inAll } = BOUNDS[kind]
      if (lane.waiting.length === 0 && lane.running < atOnce && running[kind] < inAll) {
        begin(lane, kind)
        return undefined
      }
      held[kind].add(lane)
      return new Promise((resolve) => lane.waiting.push(resolve))
    },

    leave(person, kind) {
      if (person === undefined) return
      const lane = lanes[kind].get(person)
      if (!lane) return
      lane.running -= 1
      running[kind] -= 1
      const { atOnce, inAll, firsts } = BOUNDS[kind]
      // A person of whom nothing is under way comes first, in the order in which they came.
      const next = running[kind] < firsts ? fewest(held[kind], atOnce) : undefined
      if (next && (next.running === 0 || running[kind] < inAll)) beginNext(next, kind)
      if (lane.running === 0 && lane.waiting.length === 0) lanes[kind].delete(person)
    },

    get size() {
      return lanes.query.size + lanes.mutation.size
    },
  }
}

const tooMany = () =>
  new ParleyError("RATE_LIMITED", "Too many of your operations are under way: wait a little.", {
    retryAfterMs: BUSY_RETRY_MS,
  })
