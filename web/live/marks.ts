import { MARKS_AT_ONCE } from "../limits.ts"
import { waitAfter } from "./retry.ts"

/** Watermarks as the server is told of them. `read` includes `delivered`. */
export type Mark = "delivered" | "read"

export interface MarksOptions {
  /** Tells the server; rejects where it was not reached or asks to come again. */
  send(mark: Mark, conversation: string, seq: number): Promise<void>
  /** The least time between two calls for one conversation, in ms. */
  every?: number
}

export interface Marks {
  /** Moves a watermark. Lower seqs than before are dropped, and calls in quick succession become one. */
  move(mark: Mark, conversation: string, seq: number): void
}

interface Lane {
  conversation: string
  wanted: Record<Mark, number>
  told: Record<Mark, number>
  timer?: ReturnType<typeof setTimeout> | undefined
  /** In the queue, or under way. */
  queued: boolean
  lastAt: number
}

const EVERY_MS = 500

/**
 * Coalesces the marks of each conversation: the first goes out at once, further ones at most every `every` ms, and only
 * the newest. A mark that fails is not lost: it is told again after a pause, and a pause is one for all conversations,
 * so that a server that refuses meets a few attempts and not one for each of them.
 */
export function createMarks({ send, every = EVERY_MS }: MarksOptions): Marks {
  const lanes = new Map<string, Lane>()
  const queue: Lane[] = []
  let underWay = 0
  let failures = 0
  let paused = false

  const due = (lane: Lane): Mark | undefined =>
    lane.wanted.read > lane.told.read
      ? "read"
      : lane.wanted.delivered > Math.max(lane.told.delivered, lane.told.read)
        ? "delivered"
        : undefined

  function schedule(lane: Lane): void {
    if (lane.timer || lane.queued || !due(lane)) return
    const wait = Math.max(0, lane.lastAt + every - Date.now())
    lane.timer = setTimeout(() => {
      lane.timer = undefined
      lane.queued = true
      queue.push(lane)
      pump()
    }, wait)
  }

  function pump(): void {
    while (!paused && underWay < MARKS_AT_ONCE) {
      const lane = queue.shift()
      if (!lane) return
      void tell(lane)
    }
  }

  async function tell(lane: Lane): Promise<void> {
    const mark = due(lane)
    underWay += 1
    lane.lastAt = Date.now()
    try {
      if (mark) {
        const seq = lane.wanted[mark]
        await send(mark, lane.conversation, seq)
        lane.told[mark] = Math.max(lane.told[mark], seq)
        failures = 0
      }
    } catch (error) {
      void rest(error)
    }
    underWay -= 1
    lane.queued = false
    schedule(lane)
    pump()
  }

  async function rest(error: unknown): Promise<void> {
    if (paused) return
    paused = true
    await waitAfter(error, failures)
    failures += 1
    paused = false
    pump()
  }

  return {
    move(mark, conversation, seq) {
      let lane = lanes.get(conversation)
      if (!lane) {
        const none = { delivered: 0, read: 0 }
        lane = { conversation, wanted: { ...none }, told: { ...none }, queued: false, lastAt: 0 }
        lanes.set(conversation, lane)
      }
      if (seq <= lane.wanted[mark]) return
      lane.wanted[mark] = seq
      schedule(lane)
    },
  }
}
