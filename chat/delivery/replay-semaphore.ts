import { REPLAYS_AT_ONCE, REPLAYS_PER_PERSON } from "../limits.ts"

/** Lets few replays run at once, of each person and of the node; the others wait, persons in turn. */
export interface ReplaySemaphore {
  /** Resolves, with what ends it, when the person's next replay may begin. */
  enter(person: string): Promise<() => void>
}

interface Person {
  running: number
  waiting: (() => void)[]
}

export function createReplaySemaphore(): ReplaySemaphore {
  const persons = new Map<string, Person>()
  /** Persons with a replay that only waits for others', in turn. */
  const inTurn = new Set<string>()
  let running = 0

  function mayRun(person: Person): boolean {
    return person.running < REPLAYS_PER_PERSON
  }

  function startWaiting(): void {
    for (const name of inTurn) {
      if (running >= REPLAYS_AT_ONCE) return
      inTurn.delete(name)
      const person = persons.get(name)
      const start = person && mayRun(person) ? person.waiting.shift() : undefined
      if (!person || !start) continue
      begin(person)
      if (person.waiting.length > 0 && mayRun(person)) inTurn.add(name)
      start()
    }
  }

  function begin(person: Person): void {
    person.running += 1
    running += 1
  }

  function leave(name: string, person: Person): void {
    person.running -= 1
    running -= 1
    if (person.waiting.length > 0) inTurn.add(name)
    else if (person.running === 0) persons.delete(name)
    startWaiting()
  }

  return {
    async enter(name) {
      const person = persons.get(name) ?? { running: 0, waiting: [] }
      persons.set(name, person)
      if (mayRun(person) && running < REPLAYS_AT_ONCE) begin(person)
      else {
        await new Promise<void>((resolve) => {
          person.waiting.push(resolve)
          if (mayRun(person)) inTurn.add(name)
        })
      }
      return () => leave(name, person)
    },
  }
}
