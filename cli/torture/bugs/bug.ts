import type { Scale } from "../clients/workload.ts"

/** A place in a service's source, and its replacement. */
export interface Patch {
  /** Relative to the clone. */
  file: string
  /** Is in the file exactly once, or nothing is run. */
  find: string
  replace: string
}

/** A mistake that a developer could make, planted in a running service, with the properties that have to catch it. */
export interface Bug {
  name: string
  /** In a sentence. */
  about: string
  /** Where it is made: on some engines there is nothing to get wrong. */
  patches: { embedded?: Patch[]; cluster?: Patch[] }
  /** What brings it to light soonest. */
  run: {
    minutes: number
    /** What is under way when everyone stops writing, so that nothing that follows can make good for it. */
    last?: { embedded?: string; cluster?: string }
    scale?: Partial<Scale>
  }
  /** It shows within seconds, without a fault. */
  quick?: true
  /** At least one of these has to be violated. */
  caughtBy: string[]
}
