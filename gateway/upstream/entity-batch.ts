import { unavailable } from "@parley/service/errors.ts"
import type { SubgraphResult } from "./data-sources.ts"
import type { Ask } from "./link.ts"

/** Representations that one request may carry; what is more waits for the next. */
const MAX_REPRESENTATIONS = 500
/** Look-ups that wait; more than this means that the service has stopped, not that it is busy. */
const MAX_WAITING = 10_000

interface Waiting {
  representations: unknown[]
  resolve(result: SubgraphResult): void
  reject(error: unknown): void
}

interface Queue {
  busy: boolean
  waiting: Waiting[]
}

/**
 * Puts look-ups of entities together (group commit): the first goes out at once, and those that come while it is under
 * way go out together when it is back. So an idle gateway adds no delay, and a busy one asks the less often the busier
 * it is. Only for look-ups that do not depend on who asks.
 */
export function createEntityBatch(
  fetch: (ask: Ask) => Promise<SubgraphResult>,
): (ask: Ask) => Promise<SubgraphResult> {
  const queues = new Map<string, Queue>()
  let waiting = 0

  async function run(key: string, ask: Ask, queue: Queue): Promise<void> {
    queue.busy = true
    while (queue.waiting.length > 0) {
      const batch = take(queue)
      waiting -= batch.length
      const { representations, places } = distinct(batch)
      try {
        const variables = { ...ask.variables, representations }
        const result = await fetch({ ...ask, variables })
        batch.forEach(({ resolve }, index) => {
          resolve(share(result, places[index]!))
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    queues.delete(key)
  }

  return (ask) => {
    const { representations, ...variables } = ask.variables ?? {}
    if (waiting >= MAX_WAITING) {
      return Promise.reject(unavailable("Too much is being asked for just now."))
    }
    const key = `${ask.query} ${JSON.stringify(variables)}`
    let queue = queues.get(key)
    if (!queue) {
      queue = { busy: false, waiting: [] }
      queues.set(key, queue)
    }
    const { promise, resolve, reject } = Promise.withResolvers<SubgraphResult>()
    queue.waiting.push({ representations: representations as unknown[], resolve, reject })
    waiting += 1
    if (!queue.busy) void run(key, ask, queue)
    return promise
  }
}

function take(queue: Queue): Waiting[] {
  let count = 0
  let end = 0
  while (end < queue.waiting.length) {
    count += queue.waiting[end]!.representations.length
    if (end > 0 && count > MAX_REPRESENTATIONS) break
    end++
  }
  return queue.waiting.splice(0, end)
}

/** Each representation once, and for each who waits the places of theirs. */
function distinct(batch: readonly Waiting[]): { representations: unknown[]; places: number[][] } {
  const representations: unknown[] = []
  const known = new Map<string, number>()
  const places = batch.map((waiting) =>
    waiting.representations.map((representation) => {
      const text = JSON.stringify(representation)
      let place = known.get(text)
      if (place === undefined) {
        place = representations.push(representation) - 1
        known.set(text, place)
      }
      return place
    }),
  )
  return { representations, places }
}

/** One waiter's part of the common answer. Entities are copied: whoever merges them into a result changes them. */
function share(result: SubgraphResult, places: readonly number[]): SubgraphResult {
  const entities = result.data?._entities
  const errors = result.errors?.flatMap((error) => {
    const [root, index, ...rest] = error.path ?? []
    if (root !== "_entities" || typeof index !== "number") return [error]
    return places.flatMap((place, own) =>
      place === index ? [{ ...error, path: [root, own, ...rest] }] : [],
    )
  })
  return {
    data: Array.isArray(entities)
      ? { _entities: places.map((place) => copy(entities[place])) }
      : result.data && { ...result.data },
    ...(errors && errors.length > 0 ? { errors } : {}),
  }
}

/** A deep copy of JSON. */
function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  const copied: Record<string, unknown> = {}
  for (const key in value) copied[key] = copy((value as Record<string, unknown>)[key])
  return copied
}
