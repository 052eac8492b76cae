/** One person whose work shares the thread with others'. */
export interface Person {
  readonly name: string
  /** The time that their work has used, in ms, from where the others were when they came. */
  used: number
  /** Pieces of work that have begun and not ended. */
  works: number
  /** Continuations of the work that waits for their turn, in order. */
  waiting: (() => void)[]
  /** The time that they had used when they took their place in the queue. */
  place: number
}

/** Waiting persons, the least time used first: a binary heap. */
export interface PersonQueue {
  add(person: Person): void
  /** Takes out the next person. */
  next(): Person | undefined
  readonly size: number
}

export function createPersonQueue(): PersonQueue {
  const heap: Person[] = []

  function add(person: Person): void {
    person.place = person.used
    let index = heap.push(person) - 1
    while (index > 0) {
      const above = (index - 1) >> 1
      if (heap[above]!.place <= person.place) break
      heap[index] = heap[above]!
      index = above
    }
    heap[index] = person
  }

  function take(): Person | undefined {
    const [first] = heap
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && heap[below + 1]!.place < heap[below]!.place) below += 1
      if (heap[below]!.place >= last.place) break
      heap[index] = heap[below]!
      index = below
    }
    heap[index] = last
    return first
  }

  return {
    add,
    next() {
      for (;;) {
        const person = take()
        // A person who has used more since they took their place takes another one.
        if (!person || person.used <= person.place || heap.length === 0) return person
        add(person)
      }
    },
    get size() {
      return heap.length
    },
  }
}
