import { ParleyError } from "@parley/service/errors.ts"

export interface GateOptions {
  /** How many run at the same time. */
  concurrency: number
  /** How many may wait for their turn; whoever comes beyond that is refused. */
  queue: number
}

/** Lets a bounded number of expensive jobs run, and a bounded number wait, first come first served. */
export interface Gate {
  /** @throws ParleyError RATE_LIMITED at once where the queue is full; nothing was begun then. */
  run<T>(job: () => Promise<T>): Promise<T>
  load(): GateLoad
}

export interface GateLoad {
  running: number
  waiting: number
}

export function createGate({ concurrency, queue }: GateOptions): Gate {
  const waiting: (() => void)[] = []
  let running = 0
  /** What a job takes, in ms: a moving average, for the advice to those who are refused. */
  let usual = 50

  return {
    load: () => ({ running, waiting: waiting.length }),
    async run(job) {
      if (running >= concurrency) {
        if (waiting.length >= queue) {
          throw new ParleyError("RATE_LIMITED", "Too many people are signing in just now.", {
            retryAfterMs: Math.ceil(((queue + concurrency) / concurrency) * usual),
          })
        }
        // Whoever leaves hands its place over, so that nobody can slip in between.
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else running++
      const began = performance.now()
      try {
        return await job()
      } finally {
        usual += (performance.now() - began - usual) / 8
        const next = waiting.shift()
        if (next) next()
        else running--
      }
    },
  }
}
