import { CLOSE } from "@parley/link/close-codes.ts"
import { answerTooLarge } from "@parley/link/work.ts"
import { isLongerThan } from "@parley/platform/bytes.ts"
import { ERROR_CODES, ParleyError, unavailable } from "@parley/platform/errors.ts"
import { GraphQLError } from "graphql"
import { MAX_WAITING_EVENT_BYTES, MAX_WAITING_EVENTS } from "../limits.ts"
import type { Upstreamed, WireError } from "../upstream/ask.ts"
import type { Caller } from "../upstream/caller.ts"
import type { CompiledSubscription } from "./subscription-compiler.ts"

/** A client's socket, as its subscriptions see it. */
export interface Reader {
  send(frame: string): void
  /** Ends the connection; its client comes back and resumes by position. */
  close(code: number, reason: string): void
  /** On whose behalf something is fetched now. */
  caller(): Caller
  /** Whose socket it is. */
  readonly user: string | undefined
  /** Whether what its client asks next would be taken: there is a token for it that is good for a while. */
  readonly mayAsk: boolean
}

/** An event on its way to one or many: its text is there as soon as it has been worked out. */
export interface Delivery {
  text: string | undefined
  /** Characters of what it is worked out from. */
  size: number
  /** Why there will be none: the subscription ends there, and its client resumes by position. */
  failure?: Error
}

/**
 * One subscription of one client: the link writes to it, graphql-ws iterates over it. The iterator yields nothing,
 * since events are written to the socket as they come, and it ends with the subscription; written by hand because a
 * generator's `return()` would wait for its pending `next()`, for ever. There are many thousands of these, so it is a
 * class: nothing but these few fields is kept for each.
 */
export class Subscriber implements Upstreamed, AsyncGenerator<never, void, void> {
  /** Ends it on the link; set once it is open there. */
  private stop: (() => void) | undefined
  private over = false
  private queue: Delivery[] | undefined
  /** Characters of what waits there. */
  private queued = 0
  /** Called once, when it is over. */
  onOver: (() => void) | undefined
  private readonly end = Promise.withResolvers<IteratorReturnResult<void>>()

  constructor(
    /** The client's id for it, as JSON. */
    private readonly id: string,
    readonly compiled: CompiledSubscription,
    readonly reader: Reader,
    private readonly deliver: (to: readonly Subscriber[], payload: string) => void,
  ) {
    // Its client may be gone before anyone waits for the end.
    this.end.promise.catch(() => {})
  }

  get user(): string | undefined {
    return this.reader.user
  }

  /** It is open on the link, where `stop` ends it; it may be over here by then. */
  opened(stop: () => void): void {
    if (this.over) stop()
    else this.stop = stop
  }

  /** Sends an event after all those that were handed over before it. */
  push(delivery: Delivery): void {
    if (this.over) return
    if (!this.queue) {
      if (delivery.text !== undefined) {
        this.write(delivery.text)
        return
      }
      this.queue = []
      this.queued = 0
    }
    this.queue.push(delivery)
    this.queued += delivery.size
    if (this.queue.length > MAX_WAITING_EVENTS || this.queued > MAX_WAITING_EVENT_BYTES) {
      this.quit(CLOSE.tryAgainLater, "Too many events are waiting: resume by position")
    }
  }

  /** Sends what has become ready meanwhile, up to the first event that has not; one that has failed ends it all. */
  flush(): void {
    const { queue } = this
    if (!queue || this.over) return
    const unready = queue.findIndex(({ text }) => text === undefined)
    const ready = unready < 0 ? queue.length : unready
    this.queue = unready < 0 ? undefined : queue.slice(ready)
    for (let i = 0; i < ready; i++) {
      this.queued -= queue[i]!.size
      this.write(queue[i]!.text!)
    }
    const failure = queue[ready]?.failure
    if (failure) this.fail(failure)
  }

  private write(text: string): void {
    // What is too long would be so again after a resumption: it is not retryable.
    const { maxBytes } = this.compiled
    if (isLongerThan(text, maxBytes)) this.finish(answerTooLarge(maxBytes))
    if (this.over) return
    this.reader.send(`{"id":${this.id},"type":"next","payload":${text}}`)
  }

  private quit(code: number, reason: string): void {
    this.finish()
    this.reader.close(code, reason)
  }

  /**
   * Ends it so that it is resumed. Its client opens it again on the same socket where that will be taken, and else
   * comes back with a new one: with the cookie of that moment.
   */
  private interrupt(error: Error): void {
    if (this.reader.mayAsk) this.finish(error)
    else this.quit(CLOSE.serviceRestart, "A subscription has ended: resume by position")
  }

  /** Ends it with the reason; one that passes makes its client resume. */
  private fail(error: Error): void {
    if (error instanceof ParleyError && !ERROR_CODES[error.code].retryable) this.finish(error)
    else this.interrupt(error)
  }

  private finish(error?: Error): void {
    if (this.over) return
    this.over = true
    this.onOver?.()
    this.onOver = undefined
    this.queue = undefined
    if (error) this.end.reject(error)
    else this.end.resolve({ done: true, value: undefined })
    this.stop?.()
  }

  receive(payload: string): void {
    this.deliver([this], payload)
  }

  ended([error]: readonly WireError[]): void {
    const failure = error && new GraphQLError(error.message, { extensions: error.extensions })
    if (failure?.extensions.retryable) this.interrupt(failure)
    else this.finish(failure)
  }

  moved(): void {
    this.interrupt(unavailable("This subscription goes on elsewhere: resume by position."))
  }

  lost(): void {
    this.quit(CLOSE.serviceRestart, "What is behind a subscription went away: resume by position")
  }

  /** It asks for more than it may: it ends, with the reason, and its socket goes on. */
  refused(error: ParleyError): void {
    this.finish(error)
  }

  /** It could not be opened on the link in time. */
  unopened(): void {
    this.quit(
      CLOSE.tryAgainLater,
      "What is behind a subscription cannot be reached: try again later",
    )
  }

  next(): Promise<IteratorResult<never, void>> {
    return this.end.promise
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.finish()
    return this.end.promise
  }

  async throw(error: Error): Promise<IteratorReturnResult<void>> {
    this.finish(error)
    return this.end.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.finish()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
