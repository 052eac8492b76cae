/** Watermarks as the server is told of them. `read` includes `delivered`. */
export type Mark = "delivered" | "read"

export interface MarksOptions {
  /** Tells the server; rejects where it was not reached. */
  send(mark: Mark, conversation: string, seq: number): Promise<void>
  /** The least time between two calls for one conversation, in ms. */
  every?: number
}

export interface Marks {
  /** Moves a watermark. Lower seqs than before are dropped, and calls in quick succession become one. */
  move(mark: Mark, conversation: string, seq: number): void
  /** Tells again what did not get through; for when the server is back. */
  resend(): void
}

interface Lane {
  wanted: Record<Mark, number>
  told: Record<Mark, number>
  timer?: ReturnType<typeof setTimeout>
  sending: boolean
  lastAt: number
}

const EVERY_MS = 500

/**
 * Coalesces the marks of each conversation: the first goes out at once, further ones at most every `every` ms, and only
 * the newest. A mark that fails is not lost: a later one includes it, and `resend` brings the last one.
 */
export function createMarks({ send, every = EVERY_MS }: MarksOptions): Marks {
  const lanes = new Map<string, Lane>()

  const due = (lane: Lane): Mark | undefined =>
    lane.wanted.read > lane.told.read
      ? "read"
      : lane.wanted.delivered > Math.max(lane.told.delivered, lane.told.read)
        ? "delivered"
        : undefined

  function schedule(conversation: string, lane: Lane): void {
    if (lane.timer || lane.sending || !due(lane)) return
    const wait = Math.max(0, lane.lastAt + every - Date.now())
    lane.timer = setTimeout(() => void flush(conversation, lane), wait)
  }

  async function flush(conversation: string, lane: Lane): Promise<void> {
    lane.timer = undefined
    const mark = due(lane)
    if (!mark) return
    const seq = lane.wanted[mark]
    lane.sending = true
    lane.lastAt = Date.now()
    try {
      await send(mark, conversation, seq)
      lane.told[mark] = Math.max(lane.told[mark], seq)
    } catch {
      lane.sending = false
      return
    }
    lane.sending = false
    schedule(conversation, lane)
  }

  return {
    move(mark, conversation, seq) {
      let lane = lanes.get(conversation)
      if (!lane) {
        const none = { delivered: 0, read: 0 }
        lane = { wanted: { ...none }, told: { ...none }, sending: false, lastAt: 0 }
        lanes.set(conversation, lane)
      }
      if (seq <= lane.wanted[mark]) return
      lane.wanted[mark] = seq
      schedule(conversation, lane)
    },
    resend() {
      for (const [conversation, lane] of lanes) schedule(conversation, lane)
    },
  }
}
