import type { Cancellation } from "./cancellation.ts"

const DONE: IteratorReturnResult<void> = { done: true, value: undefined }

/**
 * One answer as graphql-ws iterates over it. graphql-ws tells an iterator, and only that, of a client's `complete` and of
 * the end of the connection: it calls `return`, which cancels the operation. The operation begins when it is first asked
 * for, and never where its client has lost interest before.
 */
export class SingleAnswer<T> implements AsyncGenerator<T, void, void> {
  private begun = false
  private end: (() => void) | undefined

  constructor(
    private readonly cancellation: Cancellation,
    /** Undefined: there is nothing to be sent by graphql-ws. */
    private readonly run: () => T | undefined | Promise<T | undefined>,
  ) {}

  async next(): Promise<IteratorResult<T, void>> {
    if (this.begun || this.cancellation.reason) return DONE
    this.begun = true
    const running = this.run()
    if (!(running instanceof Promise)) return resultOf(running)
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T, void>>()
    this.end = () => resolve(DONE)
    running.then((value) => resolve(resultOf(value)), reject)
    return promise
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.cancellation.cancel()
    this.end?.()
    return DONE
  }

  async throw(error: unknown): Promise<IteratorReturnResult<void>> {
    await this.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

const resultOf = <T>(value: T | undefined): IteratorResult<T, void> =>
  value === undefined ? DONE : { done: false, value }
