import type { Entry } from "../domain/entry.ts"
import {
  OTHERS_AT_ONCE,
  OTHERS_HOLE_WITHIN,
  OTHERS_KEEP_GONE,
  OTHERS_LOOK_BACK,
  OTHERS_MAX_BEHIND,
  OTHERS_MAX_HOLES,
  OTHERS_PAGE,
  OTHERS_PAGES_PER_ROUND,
} from "../limits.ts"
import type { NodeRecord, Nodes } from "../store/nodes.ts"

/** Reads what the other nodes store, by the positions that it carries: what the bus would have brought, from the log. */
export interface Others {
  /** Takes in what the registry says, now and then: how far each node had announced what it stored. */
  see(records: readonly NodeRecord[]): void
  /** Whether another node has said that it cannot publish. */
  readonly areMute: boolean
  /**
   * Begins anew, from what may not have come over the bus of late. What the others store after the first `read` has
   * resolved is found by a later one.
   */
  begin(): void
  /**
   * Tells of what they have stored since the last time; some of it again, some out of order.
   * @param isLast asks for everything that may have arrived late, too, however lately it was asked for
   * @returns whether it came to the end of all that was stored when it began
   * @throws where the store does not answer
   */
  read(tell: (entry: Entry) => void, isLast?: boolean): Promise<boolean>
}

export interface OthersOptions {
  nodes: Pick<Nodes, "all" | "storedBy" | "newestOf">
  /** The present life of this node. */
  self(): string
  /** Monotonic, in ms. */
  now(): number
}

/** How far another node has been read. */
interface Place {
  /** The highest number that was found. */
  after: number
  /** Lower numbers that were not: writes overtake each other, and some numbers are never used. */
  holes: Map<number, Hole>
  /** When it was last in the registry. */
  seenAt: number
}

interface Hole {
  /** When it was noticed. */
  since: number
  /** When it is looked for next: after as long again, since most are filled at once or never. */
  due: number
}

export function createOthers({ nodes, self, now }: OthersOptions): Others {
  /** How far each node had announced, from some seconds ago until now. */
  let history: { at: number; announced: ReadonlyMap<string, number> }[] = []
  let places = new Map<string, Place>()
  let areMute = false

  function see(records: readonly NodeRecord[]): void {
    const at = now()
    areMute = records.some(({ id, mute }) => mute === true && id !== self())
    history.push({ at, announced: new Map(records.map(({ id, announced }) => [id, announced])) })
    // The last one from before is where those come from that are there ever since.
    const from = history.findLastIndex((seen) => at - seen.at >= OTHERS_LOOK_BACK)
    history = history.slice(Math.max(0, from))
  }

  async function placeOf({ id, announced }: NodeRecord): Promise<Place> {
    const known = places.get(id)
    if (known) {
      known.seenAt = now()
      return known
    }
    const newest = await nodes.newestOf(id)
    const after = Math.max(announcedEarlier(id, announced), newest - OTHERS_MAX_BEHIND)
    const place = { after, holes: new Map(), seenAt: now() }
    places.set(id, place)
    return place
  }

  /** How far it had announced some seconds ago: a node that was not there yet had announced nothing. */
  function announcedEarlier(id: string, announced: number): number {
    const [first] = history
    return first ? (first.announced.get(id) ?? 0) : announced
  }

  async function readFrom(
    id: string,
    place: Place,
    tell: (entry: Entry) => void,
    isLast: boolean,
  ): Promise<boolean> {
    for (let pages = 0; pages < OTHERS_PAGES_PER_ROUND; pages++) {
      const wanted = pages === 0 || isLast ? dueHoles(place, isLast) : []
      const found = await nodes.storedBy(id, place.after, OTHERS_PAGE, wanted)
      for (const { number, entry } of found) {
        note(place, number)
        tell(entry)
      }
      if (found.length < OTHERS_PAGE) return true
      await new Promise(setImmediate)
    }
    return false
  }

  function note(place: Place, number: number): void {
    place.holes.delete(number)
    const from = Math.max(place.after + 1, number - OTHERS_MAX_HOLES)
    const since = now()
    for (let hole = from; hole < number; hole++) place.holes.set(hole, { since, due: since })
    place.after = Math.max(place.after, number)
    for (const oldest of place.holes.keys()) {
      if (place.holes.size <= OTHERS_MAX_HOLES) break
      place.holes.delete(oldest)
    }
  }

  function dueHoles({ holes }: Place, isLast: boolean): number[] {
    const [at, due]: [number, number[]] = [now(), []]
    for (const [number, hole] of holes) {
      if (at - hole.since >= OTHERS_HOLE_WITHIN) holes.delete(number)
      else if (isLast || hole.due <= at) {
        due.push(number)
        hole.due = at + (at - hole.since)
      }
    }
    return due
  }

  return {
    see,
    get areMute() {
      return areMute
    },
    begin() {
      places = new Map()
    },
    async read(tell, isLast = false) {
      const records = (await nodes.all()).filter(({ id }) => id !== self())
      await Promise.all(records.map(placeOf))
      for (const [id, { seenAt }] of places) {
        if (now() - seenAt > OTHERS_KEEP_GONE) places.delete(id)
      }
      const unread = places.entries()
      let isWhole = true
      async function readSome(): Promise<void> {
        for (const [id, place] of unread) {
          if (!(await readFrom(id, place, tell, isLast))) isWhole = false
        }
      }
      await Promise.all(Array.from({ length: OTHERS_AT_ONCE }, readSome))
      return isWhole
    },
  }
}
