import { unavailable } from "@parley/platform/errors.ts"
import { LruMap } from "@parley/platform/lru.ts"
import { MAX_AHEAD, SLICE_MS } from "./limits.ts"
import { createPersonQueue, type Person } from "./turns-queue.ts"
import type { Work, WorkOptions } from "./work.ts"

/**
 * Shares one thread out among persons. Work runs in slices of a few ms; between two slices the event loop gets to run,
 * and the person who has used the least time goes on (start-time fair queueing, Goyal, Vin and Cheng 1996). Cooperative:
 * work asks for its turn where it may be long, and goes on at once while its slice lasts.
 */
export interface Turns {
  /** Some work that is to be accounted for, from its `begin` to its `done`. */
  work(options: WorkOptions): Work
  /** Persons whose work waits for its turn. */
  readonly waiting: number
}

/** Prefix of a person who renders or replays events: this work shares its turns with that person's other events alone. */
const EVENTS = "events of "
/** The rough cost in ms of refusing a field whose operation is over: an operation may have thousands of them waiting. */
const REFUSAL_MS = 0.02
/** Work of a node's own, such as look-ups that many viewers share, is one person by this name. */
const NODE = ""

const over = () => unavailable("The operation is over.")

export function createTurns(now: () => number = () => performance.now()): Turns {
  const persons = new Map<string, Person>()
  /** What persons had used when the last of their work ended, ahead of others who still wait. */
  const ahead = new LruMap<string, number>(MAX_AHEAD)
  const queue = createPersonQueue()
  /** The time used by the person who was served last: a person who comes begins there. */
  let served = 0
  /** A pass of the event loop, from the first work in it to its end. */
  let isInPass = false
  let passBegan = 0
  /** Time up to here has been charged. */
  let charged = 0

  function beginPass(): void {
    isInPass = true
    passBegan = charged = now()
    setImmediate(endPass)
  }

  function endPass(): void {
    isInPass = false
    const person = queue.next()
    if (!person) {
      // With an empty queue all persons are equal again.
      if (ahead.size > 0) ahead.clear()
      return
    }
    served = Math.max(served, person.used)
    beginPass()
    // One at a time: this work runs its slice before the next pass.
    person.waiting.shift()!()
    if (person.waiting.length > 0) queue.add(person)
  }

  /** Charges the person with what was spent since the last charge. Answers how long this pass has taken. */
  function charge(person: Person): number {
    if (!isInPass) beginPass()
    const at = now()
    person.used += at - charged
    charged = at
    // Time that no other person waited for counts against no person later.
    if (queue.size === 0) served = Math.max(served, person.used)
    return at - passBegan
  }

  function wait(person: Person, credit: number): Promise<void> {
    return new Promise((resolve) => {
      person.waiting.push(resolve)
      if (person.waiting.length > 1) return
      person.used = Math.max(person.used, served - credit)
      queue.add(person)
    })
  }

  function personOf(name: string, credit: number): Person {
    const known = persons.get(name)
    if (known) return known
    const used = Math.max(served - credit, ahead.get(name) ?? Number.NEGATIVE_INFINITY)
    const person: Person = { name, used, works: 0, waiting: [], place: 0 }
    persons.set(name, person)
    return person
  }

  /** Forgets a person whose last work has ended. The time they used still counts while others wait, whose time it was. */
  function leave({ name, used }: Person): void {
    persons.delete(name)
    if (queue.size > 0 && name !== NODE) ahead.set(name, used)
  }

  return {
    work(options) {
      const { bytes, items = Number.POSITIVE_INFINITY, tooLarge, isWaitedFor } = options
      const name = (options.isForEvents ? EVENTS : "") + (options.person ?? NODE)
      // A person who comes with a short request does not wait for the events of a thousand others.
      const credit = options.isForEvents ? 0 : SLICE_MS
      let person: Person | undefined
      let isOver = false
      let left = bytes
      let itemsLeft = items

      async function waitAsLongAsWanted(person: Person): Promise<void> {
        await wait(person, credit)
        if (!work.failure && isWaitedFor?.() === false) {
          work.failure = unavailable("The client has gone.")
        }
        const refusal = work.failure ?? (isOver ? over() : undefined)
        if (!refusal) return
        person.used += REFUSAL_MS
        throw refusal
      }

      const work: Work = {
        failure: undefined,

        begin() {
          person = personOf(name, credit)
          person.works += 1
          if (isInPass) charged = now()
          else beginPass()
        },

        turn() {
          if (work.failure) throw work.failure
          // Fields may still be at work when their operation is cancelled, or when one has failed for all.
          if (isOver) throw over()
          if (!person) return undefined
          const spent = charge(person)
          const isAhead = queue.size > 0 && person.used > served + SLICE_MS
          return spent < SLICE_MS && !isAhead ? undefined : waitAsLongAsWanted(person)
        },

        charge(bytes, items = 0) {
          if (work.failure) throw work.failure
          left -= bytes
          itemsLeft -= items
          if (left >= 0 && itemsLeft >= 0) return
          work.failure = tooLarge()
          throw work.failure
        },

        done() {
          isOver = true
          if (!person) return
          charge(person)
          person.works -= 1
          if (person.works === 0) leave(person)
          person = undefined
        },
      }
      return work
    },

    get waiting() {
      return queue.size
    },
  }
}
