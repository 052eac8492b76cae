import type { Logger } from "@parley/platform/log.ts"
import type { NodeRecord, Nodes } from "../store/nodes.ts"
import type { Announcer } from "./announcer.ts"

export interface HeirOptions {
  nodes: Nodes
  announceRange: Announcer
  log: Logger
  /** Monotonic, in ms. */
  now(): number
}

export interface Heir {
  /** Does what is to be done for a dead node whose heir this node, `self`, is. */
  settle(dead: NodeRecord, self: string): Promise<void>
  /** Of how many dead nodes it is the heir, as long as it looks after what they left. */
  readonly estates: number
}

/** How long an heir goes on looking for writes of the dead that arrive late; in ms. */
const MOURN = 60_000
/** Such writes have one of so many of the highest numbers: more were not under way at once. */
const WINDOW = 20_000
const EVERYTHING = Number.MAX_SAFE_INTEGER

interface Estate {
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
export function createHeir({ nodes, announceRange, log, now }: HeirOptions): Heir {
  const estates = new Map<string, Estate>()

  function move(estate: Estate): boolean {
    let newest = 0
    for (const number of estate.told) newest = Math.max(newest, number)
    const floor = newest - WINDOW
    if (floor <= estate.from) return false
    estate.from = floor
    for (const number of estate.told) if (number <= floor) estate.told.delete(number)
    return true
  }

  return {
    async settle({ id, announced }, self) {
      const key = `${id} ${self}`
      const estate = estates.get(key) ?? { from: announced, told: new Set(), quietSince: now() }
      estates.set(key, estate)
      let found = 0
      await announceRange(id, {
        ...{ from: estate.from + 1, to: EVERYTHING },
        wants: (number) => !estate.told.has(number),
        done(_, numbers) {
          for (const number of numbers) estate.told.add(number)
          found += numbers.length
        },
      })
      if (found > 0) {
        estate.quietSince = now()
        log.info("announced what a dead node had stored", { node: id, entries: found })
        if (move(estate)) await nodes.announce(id, estate.from)
      } else if (now() - estate.quietSince >= MOURN) {
        await nodes.forget(id)
        estates.delete(key)
      }
    },

    get estates() {
      return estates.size
    },
  }
}
