import type { WireError } from "./ask.ts"
import type { SubgraphResult } from "./data-sources.ts"
import type { Spent } from "./spent.ts"

/** The places that one representation has in what was asked for. */
export type Places = { lookup: Lookup; at: number }[]

/** Entities that one step of an operation's plan looks up; they may come in several parts. */
export class Lookup {
  readonly promise: Promise<SubgraphResult>
  readonly resolve: (result: SubgraphResult) => void
  readonly reject: (error: unknown) => void
  /** Its representations, as JSON. */
  readonly texts: readonly string[]
  /** The characters of these … */
  readonly size: number
  /** … and of what they are asked with. */
  readonly bytes: number
  /** How many of these have gone out. */
  taken = 0
  /** Its operation has been answered, or refused. */
  isOver = false
  failure: unknown
  errors: WireError[] = []
  private readonly entities: unknown[]
  private there = 0
  private isEmpty = true
  /** The last answer that its errors were taken from. */
  private told: SubgraphResult | undefined

  constructor(
    readonly representations: readonly unknown[],
    /** What they are asked with. */
    key: string,
    readonly spent: Spent,
    /** When it gives up, in ms of `performance.now()`. */
    readonly until: number,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<SubgraphResult>()
    this.promise = promise
    this.resolve = resolve
    this.reject = reject
    this.texts = representations.map((one) => JSON.stringify(one))
    this.size = this.texts.reduce((sum, { length }) => sum + length, 0)
    this.bytes = this.size + key.length
    this.entities = new Array(representations.length).fill(null)
  }

  get left(): number {
    return this.texts.length - this.taken
  }

  get isComplete(): boolean {
    return this.there === this.texts.length
  }

  /** Takes what has come for one of its representations; undefined where the answer has no entities at all. */
  put(at: number, entity: unknown): void {
    this.there += 1
    if (entity === undefined) return
    this.isEmpty = false
    this.entities[at] = entity
  }

  /** Whether this answer's errors are new to it. */
  isNew(result: SubgraphResult): boolean {
    const isNew = this.told !== result
    this.told = result
    return isNew
  }

  result(): SubgraphResult {
    return {
      data: this.isEmpty ? null : { _entities: this.entities },
      ...(this.errors.length > 0 ? { errors: this.errors } : {}),
    }
  }
}

/** One of a look-up's entities has come, or its answer has none. Copied: the plan merges it into a result of its own. */
export function found(lookup: Lookup, at: number, { data, errors }: SubgraphResult, index: number) {
  if (lookup.isOver || lookup.failure !== undefined) return
  const entities = data?._entities
  try {
    lookup.put(
      at,
      Array.isArray(entities) ? copyOf(entities[index] ?? null, lookup.spent) : undefined,
    )
  } catch (error) {
    lookup.failure = error
    return
  }
  for (const error of errors ?? []) {
    const [root, place, ...rest] = error.path ?? []
    if (root === "_entities" && place === index) {
      lookup.errors.push({ ...error, path: [root, at, ...rest] })
    }
  }
}

/** Takes those errors that are about no entity in particular, once for each answer. */
export function failed(lookup: Lookup, result: SubgraphResult): void {
  if (!result.errors || !lookup.isNew(result)) return
  for (const error of result.errors) {
    const [root, place] = error.path ?? []
    if (root !== "_entities" || typeof place !== "number") lookup.errors.push(error)
  }
}

/** A deep copy of JSON, which counts toward what the operation may come to. @throws ParleyError TOO_LARGE */
function copyOf(value: unknown, spent: Spent): unknown {
  if (typeof value !== "object" || value === null) {
    spent.copy(typeof value === "string" ? value.length + 2 : 4)
    return value
  }
  if (Array.isArray(value)) return value.map((one) => copyOf(one, spent))
  const copied: Record<string, unknown> = {}
  for (const key in value) {
    spent.copy(key.length + 4)
    copied[key] = copyOf((value as Record<string, unknown>)[key], spent)
  }
  return copied
}
