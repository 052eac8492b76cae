type Resolve = (...args: never[]) => Promise<unknown>

/** Counts the root fields that are being resolved, so that a stop can wait for them. */
export interface InFlight {
  /** The same resolvers, counted. */
  track<Fields extends Record<string, Resolve>>(fields: Fields): Fields
  readonly count: number
}

export function createInFlight(): InFlight {
  let count = 0
  const counted =
    (resolve: Resolve): Resolve =>
    async (...args) => {
      count++
      try {
        return await resolve(...args)
      } finally {
        count--
      }
    }
  return {
    track: <Fields extends Record<string, Resolve>>(fields: Fields) =>
      Object.fromEntries(
        Object.entries(fields).map(([name, resolve]) => [name, counted(resolve)]),
      ) as Fields,
    get count() {
      return count
    },
  }
}
