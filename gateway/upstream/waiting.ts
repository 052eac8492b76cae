/** Who waits for a node. Each waits equally long, so those who came first give up first. */
export interface Waiting<T> {
  /** Resolves with what `open` gives, as soon as it gives something. @throws what `open` throws, or `refusal` at the end. */
  wait(open: () => T | undefined): Promise<T>
  /** Tries those who wait, but lets only so many go at once: a node that comes must not begin with a crowd. */
  release(): void
  /** Refuses those who have waited long enough. */
  expire(): void
  close(): void
}

interface Waiter {
  until: number
  /** False where there is still nothing for it. */
  tryNow(): boolean
  refuse(): void
}

const MAX_WAITING = 50_000
const RELEASED_AT_ONCE = 500

export function createWaiting<T>(withinMs: number, refusal: () => Error): Waiting<T> {
  const waiters = new Set<Waiter>()

  function refuseUntil(now: number): void {
    for (const waiter of waiters) {
      if (waiter.until > now) return
      waiters.delete(waiter)
      waiter.refuse()
    }
  }

  return {
    wait(open) {
      if (waiters.size >= MAX_WAITING) return Promise.reject(refusal())
      return new Promise((resolve, reject) => {
        waiters.add({
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
        waiters.delete(waiter)
        left -= 1
      }
    },
    expire: () => refuseUntil(performance.now()),
    close: () => refuseUntil(Number.POSITIVE_INFINITY),
  }
}
