import { ParleyError } from "@parley/platform/errors.ts"
import type { Cancellation } from "./cancellation.ts"
import {
  BUSY_RETRY_MS,
  FIRST_QUERIES_AT_ONCE,
  MUTATIONS_AT_ONCE,
  MUTATIONS_WAITING,
  QUERIES_AT_ONCE,
  QUERIES_AT_ONCE_IN_ALL,
  QUERIES_WAITING,
  WAITING_BYTES,
} from "./limits.ts"

export type OperationKind = "query" | "mutation"

/** Bounds how many operations of one person are under way at once. The rest wait behind their own, in order. */
export interface Lanes {
  /** @throws ParleyError RATE_LIMITED where too many of the person's wait already, or too long ones. */
  check(person: string | undefined, kind: OperationKind, bytes?: number): void
  /**
   * Resolves when the operation, of so many bytes, may begin; undefined where it may at once. Each is followed by one
   * `leave`. One that is cancelled while it waits may begin at once, and finds that it is over.
   */
  enter(
    person: string | undefined,
    kind: OperationKind,
    bytes?: number,
    cancellation?: Cancellation,
  ): Promise<void> | undefined
  leave(person: string | undefined, kind: OperationKind): void
  /** Persons with an operation under way. */
  readonly size: number
}

interface Lane {
  running: number
  waiting: Waiter[]
  /** What these hold. */
  bytes: number
}

interface Waiter {
  bytes: number
  go(): void
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
    if (!next) return
    lane.bytes -= next.bytes
    next.go()
  }

  function wait(
    lane: Lane,
    kind: OperationKind,
    bytes: number,
    cancellation: Cancellation | undefined,
  ): Promise<void> {
    held[kind].add(lane)
    lane.bytes += bytes
    return new Promise((go) => {
      const waiter = { bytes, go }
      lane.waiting.push(waiter)
      cancellation?.listen(() => letGo(lane, kind, waiter))
    })
  }

  /** Releases a cancelled operation before its turn. */
  function letGo(lane: Lane, kind: OperationKind, waiter: Waiter): void {
    const at = lane.waiting.indexOf(waiter)
    if (at < 0) return
    lane.waiting.splice(at, 1)
    lane.waiting.unshift(waiter)
    beginNext(lane, kind)
  }

  return {
    check(person, kind, bytes = 0) {
      if (person === undefined) return
      const lane = lanes[kind].get(person)
      if (!lane || lane.waiting.length === 0) return
      const isFull = lane.waiting.length >= BOUNDS[kind].waiting
      if (isFull || lane.bytes + bytes > WAITING_BYTES) throw tooMany()
    },

    enter(person, kind, bytes = 0, cancellation) {
      if (person === undefined) return undefined
      const lane = lanes[kind].get(person)
      if (!lane) {
        const first: Lane = { running: 0, waiting: [], bytes: 0 }
        lanes[kind].set(person, first)
        if (running[kind] < BOUNDS[kind].firsts) {
          begin(first, kind)
          return undefined
        }
        return wait(first, kind, bytes, cancellation)
      }
      const { atOnce, inAll } = BOUNDS[kind]
      if (lane.waiting.length === 0 && lane.running < atOnce && running[kind] < inAll) {
        begin(lane, kind)
        return undefined
      }
      return wait(lane, kind, bytes, cancellation)
    },

    leave(person, kind) {
      if (person === undefined) return
      const lane = lanes[kind].get(person)
      if (!lane) return
      lane.running -= 1
      running[kind] -= 1
      const { atOnce, inAll, firsts } = BOUNDS[kind]
      // Persons with no operation under way come first, in the order in which they came.
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
