import { MAX_WAITING_SUBSCRIPTION_BYTES, MAX_WAITING_SUBSCRIPTIONS } from "../limits.ts"

/** Who waits for a node. Each waits equally long, so those who came first give up first. */
export interface Waiting<T> {
  /** Resolves with what `open` gives, as soon as it gives something. @throws what `open` throws, or `refusal` at the end. */
  wait(open: () => T | undefined, bytes?: number): Promise<T>
  /** Tries those who wait, but lets only so many go at once: a node that comes must not begin with a crowd. */
  release(): void
  /** Refuses those who have waited long enough. */
  expire(): void
  close(): void
}

interface Waiter {
  until: number
  bytes: number
  /** False where there is still nothing for it. */
  tryNow(): boolean
  refuse(): void
}

const RELEASED_AT_ONCE = 500

export function createWaiting<T>(withinMs: number, refusal: () => Error): Waiting<T> {
  const waiters = new Set<Waiter>()
  let waitingBytes = 0

  function forget(waiter: Waiter): void {
    waiters.delete(waiter)
    waitingBytes -= waiter.bytes
  }

  function refuseUntil(now: number): void {
    for (const waiter of waiters) {
      if (waiter.until > now) return
      forget(waiter)
      waiter.refuse()
    }
  }

  return {
    wait(open, bytes = 0) {
      const isFull =
        waiters.size >= MAX_WAITING_SUBSCRIPTIONS ||
        waitingBytes + bytes > MAX_WAITING_SUBSCRIPTION_BYTES
      if (isFull) return Promise.reject(refusal())
      waitingBytes += bytes
      return new Promise((resolve, reject) => {
        waiters.add({
          bytes,
          until: performance.now() + withinMs,
          tryNow() {
            try {
              const opened = open()
              if (opened !== undefined) resolve(opened)
              return opened !== undefined
            } catch (error) {
              reject(error)
              return true
            }
          },
          refuse: () => reject(refusal()),
        })
      })
    },
    release() {
      let left = RELEASED_AT_ONCE
      for (const waiter of waiters) {
        if (left === 0) return
        if (!waiter.tryNow()) continue
        forget(waiter)
        left -= 1
      }
    },
    expire: () => refuseUntil(performance.now()),
    close: () => refuseUntil(Number.POSITIVE_INFINITY),
  }
}
