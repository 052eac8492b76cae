const BATCH = 250
const EVERY_MS = 25

/**
 * Does something to each, up to 10,000 a second: those who are told to come back do not come in one crowd. The first
 * few are served before it returns.
 */
export async function gradually<T>(all: readonly T[], each: (one: T) => void): Promise<void> {
  for (let at = 0; at < all.length; at += BATCH) {
    if (at > 0) await Bun.sleep(EVERY_MS)
    for (const one of all.slice(at, at + BATCH)) each(one)
  }
}
