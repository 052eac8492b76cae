import { type End, type Line, openLine } from "./lines.ts"

interface Pending {
  pair: number
  /** The side that sent it: 0 or 1. */
  side: number
  sentAt: number
  acknowledgedAt: number
  arrivedAt: number
}

/** Pairs of people who write to each other. A message counts when it is acknowledged and the other end has it. */
export interface Pairs {
  /**
   * Keeps so many messages per pair under way for that long, both sides sending, and waits for the last of them.
   * @returns the messages that went through, and how long that took.
   */
  saturate(options: { seconds: number; inFlight: number }): Promise<{
    operations: number
    seconds: number
  }>
  /**
   * So many messages a second for that long, by all ends in turn, whether or not those before have arrived.
   * @returns for each message, in ms from when it was due: until the other end had it.
   */
  atRate(options: { perSecond: number; seconds: number }): Promise<number[]>
  /**
   * One message after the other, from the first end of the first pair to the second.
   * @returns for each message, in ms from sending it: until the other end had it, and until it was acknowledged.
   */
  oneByOne(messages: number): Promise<{ arrived: number[]; acknowledged: number[] }>
  close(): void
}

const STALLED_AFTER_MS = 20_000

export async function openPairs(ends: [End, End][]): Promise<Pairs> {
  const pending = new Map<string, Pending>()
  const pairs: Line[][] = []
  let count = 0
  let onThrough: (message: Pending) => void = () => {}
  let onFailure: (error: Error) => void = () => {}

  function send(pair: number, side: number, sentAt = performance.now()): void {
    const id = Bun.randomUUIDv7()
    pending.set(id, { pair, side, sentAt, acknowledgedAt: 0, arrivedAt: 0 })
    pairs[pair]![side]!.send(id)
  }

  function through(id: string, message: Pending): void {
    if (message.acknowledgedAt === 0 || message.arrivedAt === 0) return
    pending.delete(id)
    count++
    onThrough(message)
  }

  const listener = (side: number) => ({
    acknowledged(id: string) {
      const message = pending.get(id)
      if (!message) return
      message.acknowledgedAt = performance.now()
      through(id, message)
    },
    arrived(id: string) {
      const message = pending.get(id)
      // The sender's own socket is told as well: people have more than one device.
      if (!message || message.side === side) return
      message.arrivedAt = performance.now()
      through(id, message)
    },
    failed: (error: Error) => onFailure(error),
  })

  for (const pair of ends) {
    pairs.push(await Promise.all(pair.map((end, side) => openLine(end, listener(side)))))
  }

  /** Runs until `finish` is called; fails where a line does, or where nothing gets through for 20 s. */
  function run<T>(begin: (finish: (result: T) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let seen = count
    const watch = setInterval(() => {
      if (count === seen) reject(new Error(`Nothing gets through; ${pending.size} are under way.`))
      seen = count
    }, STALLED_AFTER_MS)
    onFailure = reject
    begin(resolve)
    return promise.finally(() => {
      clearInterval(watch)
      onThrough = () => {}
      onFailure = () => {}
    })
  }

  return {
    async saturate({ seconds, inFlight }) {
      const before = count
      const began = performance.now()
      const until = began + seconds * 1_000
      await run<void>((finish) => {
        onThrough = ({ pair, side, arrivedAt, acknowledgedAt }) => {
          if (Math.max(arrivedAt, acknowledgedAt) < until) send(pair, side)
          else if (pending.size === 0) finish()
        }
        for (let pair = 0; pair < pairs.length; pair++) {
          for (let i = 0; i < inFlight; i++) send(pair, i % 2)
        }
      })
      return { operations: count - before, seconds: (performance.now() - began) / 1_000 }
    },

    async atRate({ perSecond, seconds }) {
      const arrived: number[] = []
      const total = perSecond * seconds
      const began = performance.now()
      let sent = 0
      await run<void>((finish) => {
        onThrough = ({ sentAt, arrivedAt }) => {
          arrived.push(arrivedAt - sentAt)
          if (arrived.length === total) finish()
        }
        const timer = setInterval(() => {
          // What is due is sent, however late the timer comes; it counts from when it was due.
          for (; sent < total; sent++) {
            const due = began + (sent * 1_000) / perSecond
            if (due > performance.now()) return
            send(sent % pairs.length, Math.floor(sent / pairs.length) % 2, due)
          }
          clearInterval(timer)
        }, 1)
      })
      return arrived
    },

    async oneByOne(messages) {
      const arrived: number[] = []
      const acknowledged: number[] = []
      await run<void>((finish) => {
        onThrough = (message) => {
          arrived.push(message.arrivedAt - message.sentAt)
          acknowledged.push(message.acknowledgedAt - message.sentAt)
          if (arrived.length < messages) send(0, 0)
          else finish()
        }
        send(0, 0)
      })
      return { arrived, acknowledged }
    },

    close() {
      for (const lines of pairs) for (const line of lines) line.close()
    },
  }
}
