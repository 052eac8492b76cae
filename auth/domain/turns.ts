import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import {
  FRESH_TURN_EVERY_MS,
  TURN_KEPT_MS,
  TURN_REMEMBERED_MS,
  USED_TURN_EVERY_MS,
} from "../limits.ts"
import type { Counter, Store } from "../store/store.ts"

/**
 * Turns of unknown devices at an account that is being guessed at. The first request of an address is refused and told
 * when its turn is (`retryAfterMs`); the one that comes then is let through. Addresses that had no turn in the last day
 * have a queue of their own, a turn every 2 s: who keeps the owner's new device waiting needs a fresh address for every
 * 2 s, and each guess takes one.
 */
export interface Turns {
  /**
   * Throws where the address has a turn that has not come yet; writes nothing.
   * @throws ParleyError RATE_LIMITED with `retryAfterMs`.
   */
  mustNotBeEarly(account: string, network: string): Promise<void>
  /**
   * Uses the turn of an address.
   * @throws ParleyError RATE_LIMITED with `retryAfterMs` where it has none: it is given one.
   */
  take(account: string, network: string): Promise<void>
}

const GIVEN = 1
const USED = 2

export function createTurns(options: {
  store: Pick<Store, "counter" | "putCounter">
  clock: Clock
  message: string
}): Turns {
  const { store, clock, message } = options
  const keyOf = (account: string, network: string) => `turn/of:${digest(`${account} ${network}`)}`
  const refuse = (at: number): never => {
    const retryAfterMs = Math.max(1, at - clock.now())
    throw new ParleyError("RATE_LIMITED", message, { retryAfterMs })
  }

  async function turnOf(account: string, network: string) {
    const counter = await store.counter(keyOf(account, network))
    const [hit] = counter && counter.expiresAt > clock.now() ? counter.hits : []
    return { version: counter?.version ?? 0, at: hit?.at ?? 0, state: hit?.count }
  }

  const put = (key: string, version: number, hit: Counter["hits"][number]) =>
    store.putCounter({ key, version, hits: [hit], expiresAt: hit.at + TURN_REMEMBERED_MS })

  /**
   * Gives the address the next free time of its queue, or answers the time that another of its requests was given. The
   * address is written before the queue: of its requests at one moment, on any node, only one moves the queue on.
   */
  async function give(account: string, network: string): Promise<number> {
    const key = keyOf(account, network)
    let { version, at: given, state } = await turnOf(account, network)
    if (state === GIVEN && given > clock.now()) return given
    // A turn that was let lapse is a used one, or it would cost nothing to hold the queue.
    const isFresh = state === undefined
    const everyMs = isFresh ? FRESH_TURN_EVERY_MS : USED_TURN_EVERY_MS
    const queueKey = `turn/${isFresh ? "fresh" : "used"}:${digest(account)}`
    for (;;) {
      const queue = await store.counter(queueKey)
      const at = Math.max(clock.now(), queue?.hits[0]?.at ?? 0) + everyMs
      version += 1
      if (!(await put(key, version, { at, count: GIVEN }))) return give(account, network)
      // Where another address took that time, the turn moves to the one after it.
      if (await put(queueKey, (queue?.version ?? 0) + 1, { at, count: 1 })) return at
    }
  }

  return {
    async mustNotBeEarly(account, network) {
      const turn = await turnOf(account, network)
      if (turn.state === GIVEN && turn.at > clock.now()) refuse(turn.at)
    },
    async take(account, network) {
      const { version, at, state } = await turnOf(account, network)
      if (state === GIVEN) {
        if (at > clock.now()) return refuse(at)
        const isInTime = clock.now() <= at + TURN_KEPT_MS
        const key = keyOf(account, network)
        if (isInTime && (await put(key, version + 1, { at, count: USED }))) return
      }
      refuse(await give(account, network))
    },
  }
}

const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex")
