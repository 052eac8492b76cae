const DAY_MS = 24 * 60 * 60 * 1000

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

/** The day, in UTC, of a time in ms since the epoch. */
export const dayOf = (now: number): Day => Math.floor(now / DAY_MS)

/** How long it is until the next day begins, in ms. */
export const untilTomorrow = (now: number): number => (dayOf(now) + 1) * DAY_MS - now

/** The first sum that would pass its bound. */
export function passing(
  usage: Usage,
  amounts: Partial<Usage>,
  bounds: Partial<Usage>,
): keyof Usage | undefined {
  const kinds = Object.keys(amounts) as (keyof Usage)[]
  return kinds.find((kind) => usage[kind] + amounts[kind]! > (bounds[kind] ?? Infinity))
}
