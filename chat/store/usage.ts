/** How much one person has done in one day, or in all. */
export interface Usage {
  /** Groups made. */
  groups: number
  /** People added to groups, or with whom a direct conversation was begun. */
  adds: number
  /** Of these, people who shared no conversation with the person. */
  strangers: number
  /** Bytes of text stored. */
  bytes: number
}

/** Days since the epoch, in UTC. */
export type Day = number

/** The day under which is kept what a person has done in all. */
export const EVER: Day = 0

export const NO_USAGE: Usage = { groups: 0, adds: 0, strangers: 0, bytes: 0 }

/** Counts what people do, on behalf of all nodes, across restarts. */
export interface UsageStore {
  of(user: string, day: Day): Promise<Usage>

  /** Adds to each sum, in one step; answers the sums. What is negative gives back what was reserved for nothing. */
  add(user: string, day: Day, amounts: Partial<Usage>): Promise<Usage>

  /**
   * Adds to each sum, in one step, unless one of them would pass its bound: then nothing is added. Of reservations made
   * at once, on any nodes, only so many succeed as the bounds allow.
   * @returns the name of a sum that would pass its bound; undefined where all were added.
   */
  reserve(
    user: string,
    day: Day,
    amounts: Partial<Usage>,
    bounds: Partial<Usage>,
  ): Promise<keyof Usage | undefined>

  /** Forgets every day before that one, but not what people have done in all. */
  forget(before: Day): Promise<void>
}

/** The first sum that would pass its bound. */
export function passing(
  usage: Usage,
  amounts: Partial<Usage>,
  bounds: Partial<Usage>,
): keyof Usage | undefined {
  const kinds = Object.keys(amounts) as (keyof Usage)[]
  return kinds.find((kind) => usage[kind] + amounts[kind]! > (bounds[kind] ?? Infinity))
}
