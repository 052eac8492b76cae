import type { Day, Usage } from "../domain/usage.ts"

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
