import type { Clock } from "@parley/service/clock.ts"
import { ParleyError } from "@parley/service/errors.ts"
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

  /** The next free time in a queue. */
  async function next(account: string, kind: "fresh" | "used", everyMs: number): Promise<number> {
    const key = `turn/${kind}:${digest(account)}`
    for (;;) {
      const counter = await store.counter(key)
      const at = Math.max(clock.now(), counter?.hits[0]?.at ?? 0) + everyMs
      if (await put(key, (counter?.version ?? 0) + 1, { at, count: 1 })) return at
    }
  }

  return {
    async mustNotBeEarly(account, network) {
      const turn = await turnOf(account, network)
      if (turn.state === GIVEN && turn.at > clock.now()) refuse(turn.at)
    },
    async take(account, network) {
      const turn = await turnOf(account, network)
      const key = keyOf(account, network)
      if (turn.state === GIVEN) {
        if (turn.at > clock.now()) return refuse(turn.at)
        const isInTime = clock.now() <= turn.at + TURN_KEPT_MS
        if (isInTime && (await put(key, turn.version + 1, { at: turn.at, count: USED }))) return
      }
      // A turn that was let lapse is a used one, or it would cost nothing to hold the queue.
      const at =
        turn.state === undefined
          ? await next(account, "fresh", FRESH_TURN_EVERY_MS)
          : await next(account, "used", USED_TURN_EVERY_MS)
      // Another request of the same address was faster: its turn is the turn of both.
      await put(key, turn.version + 1, { at, count: GIVEN })
      refuse(at)
    },
  }
}

const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex")
