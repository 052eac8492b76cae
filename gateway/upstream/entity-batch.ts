import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import {
  LOOKUP_WITHIN_MS,
  MAX_LOOKUPS_UNDER_WAY,
  MAX_REPRESENTATION_BYTES,
  MAX_REPRESENTATIONS,
  MAX_WAITING_LOOKUP_BYTES,
  MAX_WAITING_LOOKUPS,
  REPRESENTATIONS_AT_A_TURN,
} from "../limits.ts"
import type { Ask } from "./ask.ts"
import type { SubgraphResult } from "./data-sources.ts"
import { failed, found, Lookup, type Places } from "./entity-lookup.ts"
import type { Spent } from "./spent.ts"

/** What one request carries: each representation once, and where each is wanted. */
interface Batch {
  representations: unknown[]
  places: Places[]
}

/** The look-ups that differ in their representations alone. */
interface Queue {
  ask: Ask
  underWay: number
  /** Those of which not all has gone out, in the order of their turns. */
  waiting: Lookup[]
  /** What they wait for, in representations and in bytes of these. */
  representations: number
  bytes: number
}

/**
 * Looks entities up together with what others look up.
 * @throws ParleyError UNAVAILABLE where there is no answer in time, or too much waits; TOO_LARGE where the entities would
 * be more than an answer may have.
 */
export type EntityBatch = (ask: Ask, spent: Spent) => Promise<SubgraphResult>

/**
 * Puts look-ups of entities together (group commit): the first goes out at once, and those that come while it is under
 * way go out together when it is back, or as soon as they fill a look-up of their own. So an idle gateway adds no delay,
 * and a busy one asks the less often the busier it is. An operation that looks up many goes out in several parts, and
 * takes turns with the others. Only for look-ups that do not depend on who asks.
 */
export function createEntityBatch(
  fetch: (ask: Ask) => Promise<SubgraphResult>,
  withinMs = LOOKUP_WITHIN_MS,
): EntityBatch {
  const queues = new Map<string, Queue>()
  const waiting = new Set<Lookup>()
  let waitingBytes = 0
  let isTimed = false

  function add(queue: Queue, lookup: Lookup): void {
    waiting.add(lookup)
    waitingBytes += lookup.bytes
    queue.waiting.push(lookup)
    queue.representations += lookup.left
    queue.bytes += lookup.size
    if (!isTimed) expireIn(withinMs)
  }

  function expireIn(ms: number): void {
    isTimed = true
    setTimeout(expire, ms).unref()
  }

  function expire(): void {
    isTimed = false
    const now = performance.now()
    for (const lookup of waiting) {
      if (lookup.until > now) {
        expireIn(lookup.until - now)
        return
      }
      settle(lookup, () => lookup.reject(unavailable("A look-up did not come back in time.")))
    }
  }

  /** All that a look-up has asked for is there, or will never be. */
  function settle(lookup: Lookup, tell: () => void): void {
    if (!waiting.delete(lookup)) return
    waitingBytes -= lookup.bytes
    lookup.isOver = true
    tell()
  }

  /** What a look-up that has been given up still waited for is not asked for. */
  function skip(queue: Queue, lookup: Lookup): void {
    while (lookup.left > 0) {
      queue.representations -= 1
      queue.bytes -= lookup.texts[lookup.taken++]!.length
    }
  }

  /** As many representations as one look-up carries, each once, with their places in what was asked for. */
  function take(queue: Queue): Batch {
    const representations: unknown[] = []
    const places = new Map<string, Places>()
    let bytes = 0
    while (queue.waiting.length > 0 && representations.length < MAX_REPRESENTATIONS) {
      const lookup = queue.waiting.shift()!
      if (lookup.isOver) {
        skip(queue, lookup)
        continue
      }
      for (let turn = REPRESENTATIONS_AT_A_TURN; turn > 0 && lookup.left > 0; turn--) {
        const text = lookup.texts[lookup.taken]!
        const known = places.get(text)
        if (!known) {
          const isFull = representations.length === MAX_REPRESENTATIONS
          if (isFull || (bytes > 0 && bytes + text.length > MAX_REPRESENTATION_BYTES)) {
            queue.waiting.unshift(lookup)
            return { representations, places: [...places.values()] }
          }
          representations.push(lookup.representations[lookup.taken])
          bytes += text.length
        }
        const mine = known ?? []
        if (!known) places.set(text, mine)
        mine.push({ lookup, at: lookup.taken })
        lookup.taken += 1
        queue.representations -= 1
        queue.bytes -= text.length
      }
      if (lookup.left > 0) queue.waiting.push(lookup)
    }
    return { representations, places: [...places.values()] }
  }

  function begin(key: string, queue: Queue): void {
    while (
      queue.waiting.length > 0 &&
      queue.underWay < MAX_LOOKUPS_UNDER_WAY &&
      (queue.underWay === 0 || isFull(queue))
    ) {
      const batch = take(queue)
      if (batch.representations.length === 0) break
      queue.underWay += 1
      void run(key, queue, batch)
    }
    if (queue.waiting.length === 0 && queue.underWay === 0) queues.delete(key)
  }

  async function run(key: string, queue: Queue, batch: Batch): Promise<void> {
    const { ask } = queue
    const variables = { ...ask.variables, representations: batch.representations }
    let tell: () => void
    try {
      const result = await fetch({ ...ask, variables })
      tell = () => hand(batch, result)
    } catch (error) {
      tell = () => fail(batch, error)
    }
    queue.underWay -= 1
    // The next one goes out first: what is there can wait for a moment.
    begin(key, queue)
    tell()
  }

  function hand({ places }: Batch, result: SubgraphResult): void {
    const lookups = new Set<Lookup>()
    places.forEach((mine, index) => {
      for (const { lookup, at } of mine) {
        lookups.add(lookup)
        found(lookup, at, result, index)
      }
    })
    for (const lookup of lookups) {
      failed(lookup, result)
      if (lookup.failure !== undefined) settle(lookup, () => lookup.reject(lookup.failure))
      else if (lookup.isComplete) settle(lookup, () => lookup.resolve(lookup.result()))
    }
  }

  function fail({ places }: Batch, error: unknown): void {
    for (const mine of places) {
      for (const { lookup } of mine) settle(lookup, () => lookup.reject(error))
    }
  }

  return (ask, spent) => {
    const { representations, ...variables } = ask.variables ?? {}
    const key = `${ask.query} ${JSON.stringify(variables)}`
    const until = performance.now() + withinMs
    const lookup = new Lookup(representations as unknown[], key, spent, until)
    const { texts } = lookup
    if (texts.some(({ length }) => length > MAX_REPRESENTATION_BYTES)) {
      return Promise.reject(new ParleyError("TOO_LARGE", "A key is longer than any is."))
    }
    if (
      waiting.size >= MAX_WAITING_LOOKUPS ||
      (waiting.size > 0 && waitingBytes + lookup.bytes > MAX_WAITING_LOOKUP_BYTES)
    ) {
      return Promise.reject(unavailable("Too much is being asked for just now."))
    }
    if (texts.length === 0) return Promise.resolve({ data: { _entities: [] } })
    let queue = queues.get(key)
    if (!queue) {
      queue = { ask: { ...ask, variables }, underWay: 0, waiting: [], representations: 0, bytes: 0 }
      queues.set(key, queue)
    }
    add(queue, lookup)
    begin(key, queue)
    return lookup.promise
  }
}

const isFull = ({ representations, bytes }: Queue) =>
  representations >= MAX_REPRESENTATIONS || bytes >= MAX_REPRESENTATION_BYTES
