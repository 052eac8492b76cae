import { ParleyError } from "@parley/platform/errors.ts"
import { MAX_AT_ONCE, MAX_WAITING_OF_ONE } from "../limits.ts"

/** What one person wants done, by methods whose first argument is that person. */
type ForPeople<S> = {
  [K in keyof S]: S[K] extends (user: string, ...rest: infer A) => Promise<infer T>
    ? (user: string, ...rest: A) => Promise<T>
    : never
}

interface Person {
  running: number
  /** Each lets one more begin. */
  waiting: (() => void)[]
}

/**
 * The same service, of which one person has so many calls under way at a time; further ones wait for them, in order. What
 * one person asks for at once does not fill the store's connections, which all share. Where 1,000 wait: RATE_LIMITED.
 */
export function fewAtOnce<S extends ForPeople<S>>(service: S, limit = MAX_AT_ONCE): S {
  const people = new Map<string, Person>()

  async function run<T>(user: string, call: () => Promise<T>): Promise<T> {
    let person = people.get(user)
    if (!person) {
      person = { running: 0, waiting: [] }
      people.set(user, person)
    }
    if (person.running < limit) person.running += 1
    else if (person.waiting.length >= MAX_WAITING_OF_ONE) throw tooMuch()
    else await new Promise<void>((resolve) => person.waiting.push(resolve))
    try {
      return await call()
    } finally {
      // The next one takes the place over.
      const next = person.waiting.shift()
      if (next) next()
      else if (--person.running === 0) people.delete(user)
    }
  }

  type Method = (user: string, ...rest: unknown[]) => Promise<unknown>
  const methods = Object.entries(service as Record<string, Method>).map(([name, method]) => {
    const bounded: Method = (user, ...rest) => run(user, () => method(user, ...rest))
    return [name, bounded]
  })
  return Object.fromEntries(methods) as S
}

const tooMuch = () =>
  new ParleyError("RATE_LIMITED", "That is too much at once. Try again in a moment.", {
    retryAfterMs: 1_000,
  })
