import { unavailable } from "@parley/platform/errors.ts"

/** A read that the disk, or a store that has been closed, does not answer is UNAVAILABLE. */
export const sqliteReading =
  <A extends unknown[], T>(read: (...args: A) => T) =>
  async (...args: A): Promise<T> => {
    try {
      return read(...args)
    } catch (error) {
      throw unavailable("The store cannot be read just now.", error)
    }
  }
