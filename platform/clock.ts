/** Where a service gets its time from: a test hands in another one and can replay anything. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
