import { ParleyError } from "./errors.ts"
import {
  BUSY_RETRY_MS,
  MUTATIONS_AT_ONCE,
  MUTATIONS_WAITING,
  QUERIES_AT_ONCE,
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
  query: { atOnce: QUERIES_AT_ONCE, waiting: QUERIES_WAITING },
  mutation: { atOnce: MUTATIONS_AT_ONCE, waiting: MUTATIONS_WAITING },
} as const

/** Work without a person is a gateway's for many viewers: it is not bounded here. */
export function createLanes(): Lanes {
  const lanes = { query: new Map<string, Lane>(), mutation: new Map<string, Lane>() }

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
        lanes[kind].set(person, { running: 1, waiting: [] })
        return undefined
      }
      if (lane.running < BOUNDS[kind].atOnce) {
        lane.running += 1
        return undefined
      }
      return new Promise((resolve) => lane.waiting.push(resolve))
    },

    leave(person, kind) {
      if (person === undefined) return
      const lane = lanes[kind].get(person)
      if (!lane) return
      const next = lane.waiting.shift()
      if (next) return next()
      lane.running -= 1
      if (lane.running === 0) lanes[kind].delete(person)
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
