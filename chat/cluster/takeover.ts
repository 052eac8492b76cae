import type { Logger } from "@parley/platform/log.ts"
import type { NodeRecord, Nodes } from "../store/nodes.ts"
import type { Announcer } from "./announcer.ts"

export interface TakeoverOptions {
  nodes: Nodes
  announceRange: Announcer
  log: Logger
  /** Monotonic, in ms. */
  now(): number
}

export interface Takeover {
  /** Does what is to be done for a dead node whose heir this node, `self`, is. */
  settle(dead: NodeRecord, self: string): Promise<void>
  /** Of how many dead nodes it is the heir, as long as it looks after what they left. */
  readonly takeovers: number
}

/** How long an heir goes on looking for writes of the dead that arrive late; in ms. */
const LATE_WRITES_MS = 60_000
/** Such writes have one of so many of the highest numbers: more were not under way at once. */
const WINDOW = 20_000
const EVERYTHING = Number.MAX_SAFE_INTEGER

interface Left {
  /** Everything up to here has been announced. */
  from: number
  /** What has been announced beyond that. */
  told: Set<number>
  quietSince: number
}

/**
 * Announces what a dead node has left unannounced: at once what is in the log, and for a minute what arrives there
 * late, since a write may outlive its writer. Then the dead node is forgotten.
 */
export function createTakeover({ nodes, announceRange, log, now }: TakeoverOptions): Takeover {
  const takeovers = new Map<string, Left>()

  function move(left: Left): boolean {
    let newest = 0
    for (const number of left.told) newest = Math.max(newest, number)
    const floor = newest - WINDOW
    if (floor <= left.from) return false
    left.from = floor
    for (const number of left.told) if (number <= floor) left.told.delete(number)
    return true
  }

  return {
    async settle({ id, announced }, self) {
      const key = `${id} ${self}`
      const left = takeovers.get(key) ?? { from: announced, told: new Set(), quietSince: now() }
      takeovers.set(key, left)
      let found = 0
      await announceRange(id, {
        ...{ from: left.from + 1, to: EVERYTHING },
        wants: (number) => !left.told.has(number),
        done(_, numbers) {
          for (const number of numbers) left.told.add(number)
          found += numbers.length
        },
      })
      if (found > 0) {
        left.quietSince = now()
        log.info("announced what a dead node had stored", { node: id, entries: found })
        if (move(left)) await nodes.announce(id, left.from)
      } else if (now() - left.quietSince >= LATE_WRITES_MS) {
        await nodes.forget(id)
        takeovers.delete(key)
      }
    },

    get takeovers() {
      return takeovers.size
    },
  }
}
