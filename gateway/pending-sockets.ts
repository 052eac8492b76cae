import { addressGroup } from "@parley/platform/address-group.ts"
import { MAX_PENDING_SOCKETS, MAX_PENDING_SOCKETS_PER_ADDRESS } from "./limits.ts"

/** Counts the sockets that are open but have not said yet whose they are, by the group of their address. */
export interface PendingSockets {
  /** @returns what ends the wait, to be called at least once; undefined where there are too many already. */
  enter(address: string): (() => void) | undefined
}

export function createPendingSockets(
  most: { perAddress: number; all: number } = {
    perAddress: MAX_PENDING_SOCKETS_PER_ADDRESS,
    all: MAX_PENDING_SOCKETS,
  },
): PendingSockets {
  const pending = new Map<string, number>()
  let all = 0
  return {
    enter(address) {
      const group = addressGroup(address)
      const count = pending.get(group) ?? 0
      if (count >= most.perAddress || all >= most.all) return undefined
      pending.set(group, count + 1)
      all += 1
      let waits = true
      return () => {
        if (!waits) return
        waits = false
        all -= 1
        const left = (pending.get(group) ?? 1) - 1
        if (left > 0) pending.set(group, left)
        else pending.delete(group)
      }
    },
  }
}
