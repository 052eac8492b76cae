import type { Day } from "../store/usage.ts"

const DAY_MS = 24 * 60 * 60 * 1000

/** The day, in UTC, of a time in ms since the epoch. */
export const dayOf = (now: number): Day => Math.floor(now / DAY_MS)

/** How long it is until the next day begins, in ms. */
export const untilTomorrow = (now: number): number => (dayOf(now) + 1) * DAY_MS - now
