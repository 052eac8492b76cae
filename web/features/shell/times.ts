import type { SeedClock } from "../../server/seed.ts"

/** Times for people, by a given clock: the server and the browser write the same. */

const DAY_MS = 86_400_000
const formats = new Map<string, Intl.DateTimeFormat>()

function format(at: number, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  const key = JSON.stringify([timeZone, options])
  let made = formats.get(key)
  if (!made) {
    made = new Intl.DateTimeFormat("en-GB", { timeZone, ...options })
    formats.set(key, made)
  }
  return made.format(at)
}

/** `14:05` */
export const timeOf = (at: number, { timeZone }: SeedClock): string =>
  format(at, timeZone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })

/** The same text for all moments of one day. */
export const dayKey = (at: number, { timeZone }: SeedClock): string =>
  format(at, timeZone, { year: "numeric", month: "2-digit", day: "2-digit" })

/** `Today`, `Yesterday`, `Monday`, `12 March`, `12 March 2025` */
export function dayOf(at: number, clock: SeedClock): string {
  const { now, timeZone } = clock
  if (dayKey(at, clock) === dayKey(now, clock)) return "Today"
  if (dayKey(at, clock) === dayKey(now - DAY_MS, clock)) return "Yesterday"
  if (now - at < 6 * DAY_MS && at < now) return format(at, timeZone, { weekday: "long" })
  const thisYear =
    format(at, timeZone, { year: "numeric" }) === format(now, timeZone, { year: "numeric" })
  return format(at, timeZone, {
    day: "numeric",
    month: "long",
    ...(thisYear ? {} : { year: "numeric" }),
  })
}

/** For the list: the time today, else the day in short. */
export function shortly(at: number, clock: SeedClock): string {
  const day = dayOf(at, clock)
  if (day === "Today") return timeOf(at, clock)
  if (day === "Yesterday" || /day$/.test(day)) return day
  return format(at, clock.timeZone, { day: "2-digit", month: "2-digit", year: "2-digit" })
}
