import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { BusEvent } from "../bus/bus.ts"
import { LANE_BYTES, LANE_EVENTS, LANE_WAIT_MS } from "../limits.ts"
import { endAll, eventBytes, type Subscription } from "./subscription.ts"

/** What waits while an earlier event of the same conversation is rendered for the same document. */
export interface Lane {
  add(event: BusEvent, audience: Subscription[]): void
  /** Resolves when nothing waits any more. Never rejects. */
  readonly done: Promise<void>
  /** Events that wait. */
  readonly waiting: number
}

interface Waiting {
  event: BusEvent
  audience: Subscription[]
  bytes: number
  /** When it came, by `performance.now()`. */
  since: number
}

/**
 * Renders events one after the other, in the order in which they came. A lane that falls too far behind ends its
 * subscriptions, which resume by position: they are told of everything, and take no memory meanwhile.
 * @param first the rendering that the rest waits for, and whom it is for.
 */
export function createLane(
  first: Promise<void>,
  audience: Subscription[],
  send: (event: BusEvent, audience: Subscription[]) => void | Promise<void>,
  onEnd: () => void,
  log: Logger,
): Lane {
  const waiting: Waiting[] = []
  let bytes = 0
  let current: Pick<Waiting, "audience" | "since"> = { audience, since: performance.now() }

  function giveUp(): void {
    const late = new Set([current, ...waiting].flatMap(({ audience }) => audience))
    waiting.length = bytes = 0
    endAll(late, unavailable("Your document takes too long: resume."), log)
  }

  async function drain(): Promise<void> {
    await first
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      bytes -= next.bytes
      current = next
      if (performance.now() - next.since > LANE_WAIT_MS) giveUp()
      else await send(next.event, next.audience)
    }
    onEnd()
  }
  const done = drain()

  return {
    add(event, audience) {
      const since = performance.now()
      const size = eventBytes(event)
      bytes += size
      waiting.push({ event, audience, bytes: size, since })
      const isLate = since - current.since > LANE_WAIT_MS
      if (isLate || waiting.length > LANE_EVENTS || bytes > LANE_BYTES) giveUp()
    },
    done,
    get waiting() {
      return waiting.length
    },
  }
}

/** After a page, the log is read on when no document has more than a page to render, or after this time, in ms. */
const DRAIN_WITHIN_MS = 500
const DRAIN_LOOK_MS = 20

/** A log that is read faster than its entries are rendered would only fill the memory: waits a while for the slow. */
export async function lanesToDrain(lanes: ReadonlyMap<unknown, Lane>, most: number): Promise<void> {
  const deadline = performance.now() + DRAIN_WITHIN_MS
  const isFull = () => [...lanes.values()].some(({ waiting }) => waiting > most)
  await new Promise(setImmediate)
  while (isFull() && performance.now() < deadline) await Bun.sleep(DRAIN_LOOK_MS)
}
