import type { Bus, BusRecord } from "../bus/bus.ts"
import type { Store } from "../store/store.ts"

/** Delays that come in a seeded order: the same seed shakes the same run in the same way. */
export interface Shaker {
  /** From 0 to 1, as `Math.random`. */
  random(): number
  pick<T>(from: readonly T[]): T
  /** Resolves after none to some turns of the event loop. */
  pause(): Promise<void>
}

export function createShaker(seed: number): Shaker {
  let state = seed >>> 0
  // mulberry32
  function random(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    random,
    pick: (from) => from[Math.floor(random() * from.length)]!,
    async pause() {
      const turns = Math.floor(random() ** 2 * 6)
      for (let i = 0; i < turns; i++) await new Promise(setImmediate)
    },
  }
}

/** A store whose requests and replies take their time, so that they overtake one another. */
export const shakeStore = (store: Store, shaker: Shaker): Store =>
  new Proxy(store, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key)
      if (typeof method !== "function") return method
      return async (...args: unknown[]) => {
        await shaker.pause()
        const reply = await method.apply(target, args)
        await shaker.pause()
        return reply
      }
    },
  })

/** A bus that brings records late, in any order, and some of them twice. */
export const shakeBus = (bus: Bus, shaker: Shaker): Bus => ({
  partitions: bus.partitions,
  publish: (event, users) => bus.publish(event, users),
  async hold(partition) {
    await shaker.pause()
    await bus.hold(partition)
    await shaker.pause()
  },
  release: (partition) => bus.release(partition),
  state: () => bus.state(),
  onRecord(handler) {
    bus.onRecord((record: BusRecord) => {
      const wire = JSON.stringify(record)
      const copies = shaker.random() < 0.2 ? 2 : 1
      for (let i = 0; i < copies; i++) {
        void shaker.pause().then(() => handler(JSON.parse(wire)))
      }
    })
  },
  onGap: (handler) => bus.onGap(handler),
  ping: () => bus.ping(),
  stats: () => bus.stats(),
  [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
})
