import { seconds } from "@parley/platform/machine/duration.ts"

/** Told, in one line each, what takes long and how long it took. */
export type Report = (line: string) => void

/** What takes longer than this, in ms, is reported when it is under way, too. */
const LONG = 1_500

/** Does something, and reports it with the time that it took; `details` adds to the line what is known then. */
export async function timed<T>(
  report: Report,
  label: string,
  work: () => Promise<T>,
  details: (result: T) => string = () => "",
): Promise<T> {
  const began = performance.now()
  const timer = setTimeout(() => report(`${label} …`), LONG)
  try {
    const result = await work()
    report(`${label} … ${seconds(performance.now() - began)}${details(result)}`)
    return result
  } finally {
    clearTimeout(timer)
  }
}
