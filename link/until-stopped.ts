/**
 * An iterator that yields nothing (results are written straight to the link) and ends when told to. Written by hand: a
 * generator's `return()` would wait for its pending `next()`, and the subscription would leak.
 */
export function untilStopped(
  ended: Promise<IteratorReturnResult<void>>,
  stop: () => void,
): AsyncGenerator<never, void, void> {
  return {
    next: () => ended,
    async return() {
      stop()
      return { done: true, value: undefined }
    },
    async throw(error) {
      stop()
      throw error
    },
    async [Symbol.asyncDispose]() {
      stop()
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
