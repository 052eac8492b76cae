import {
  MAX_BATCH,
  MAX_BATCH_BYTES,
  MAX_WAITING,
  MAX_WAITING_BYTES_OF_ONE,
  MAX_WAITING_OF_ONE,
} from "../limits.ts"

export interface Queued {
  /** Whose it is. */
  by: string
  /** What it weighs. */
  bytes: number
  /** It goes in a batch of its own. */
  alone: boolean
}

interface Queue<Q extends Queued> {
  items: Q[]
  bytes: number
}

/**
 * What waits for one conversation: a queue for each sender, served in turn, so that one who floods waits behind their
 * own messages and the others do not. The order of one sender's is kept.
 */
export class Lane<Q extends Queued> {
  /** The number of all that wait. */
  size = 0
  /** In the order in which they are served. */
  private readonly queues = new Map<string, Queue<Q>>()

  /**
   * Takes one in. Answers the one that has to go for it: itself, where its sender has too much waiting; where the lane
   * is full, the newest of the sender with the most waiting; undefined where none has to.
   */
  push(item: Q): Q | undefined {
    const queue = this.queues.get(item.by)
    const length = queue?.items.length ?? 0
    if (length >= MAX_WAITING_OF_ONE) return item
    if (queue && queue.bytes + item.bytes > MAX_WAITING_BYTES_OF_ONE) return item
    const displaced = this.size >= MAX_WAITING ? this.displace(length) : undefined
    if (this.size >= MAX_WAITING) return item
    if (queue) {
      queue.items.push(item)
      queue.bytes += item.bytes
    } else {
      this.queues.set(item.by, { items: [item], bytes: item.bytes })
    }
    this.size += 1
    return displaced
  }

  /** The next batch: one of each sender in turn, until it is full; or one alone. Empty where nothing waits. */
  next(): Q[] {
    const batch: Q[] = []
    let bytes = 0
    // The iteration of a map reaches what is appended while it goes on: whose turn has been goes to the back.
    for (const [by, queue] of this.queues) {
      const [item] = queue.items as [Q]
      if (item.alone && batch.length > 0) continue
      this.takeFirst(by, queue)
      batch.push(item)
      bytes += item.bytes
      if (item.alone || batch.length === MAX_BATCH || bytes >= MAX_BATCH_BYTES) break
    }
    return batch
  }

  private takeFirst(by: string, queue: Queue<Q>): void {
    const item = queue.items.shift()!
    queue.bytes -= item.bytes
    this.size -= 1
    this.queues.delete(by)
    if (queue.items.length > 0) this.queues.set(by, queue)
  }

  /** Takes the newest of the longest queue out, where that is longer than another one would become. */
  private displace(length: number): Q | undefined {
    let longest: Queue<Q> | undefined
    for (const queue of this.queues.values()) {
      if (queue.items.length > (longest?.items.length ?? length + 1)) longest = queue
    }
    const item = longest?.items.pop()
    if (!longest || !item) return undefined
    longest.bytes -= item.bytes
    this.size -= 1
    return item
  }
}
