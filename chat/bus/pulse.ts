/** Whether what is asked of some brokers, again and again, is answered in time. */
export interface Pulse {
  /** A request to a broker has begun, at that time; in ms. */
  begin(broker: string | number, at: number): void
  /** It was answered. */
  end(broker: string | number, at: number): void
  /** Forgets everything: the consumer that asked is no more. */
  rest(): void
  /** Whether something was answered of late, and no broker owes an answer for too long. */
  beats(now: number): boolean
}

/** A request that was never answered, in ms: it has failed, and its broker may be none of the cluster's any more. */
const GIVEN_UP_AFTER = 15_000

/** @param silentAfter how long a broker may take to answer, in ms */
export function createPulse(silentAfter: number): Pulse {
  const open = new Map<string | number, number>()
  let answeredAt = Number.NEGATIVE_INFINITY

  return {
    begin: (broker, at) => void open.set(broker, at),
    end(broker, at) {
      open.delete(broker)
      answeredAt = at
    },
    rest() {
      open.clear()
      answeredAt = Number.NEGATIVE_INFINITY
    },
    beats(now) {
      if (now - answeredAt > silentAfter) return false
      for (const since of open.values()) {
        if (now - since > silentAfter && now - since < GIVEN_UP_AFTER) return false
      }
      return true
    },
  }
}
