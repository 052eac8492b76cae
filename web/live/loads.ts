import { untilDone } from "./retry.ts"
import type { LiveStore } from "./store.ts"

/** The loads that a screen waits for; with the conversation's id they are named in the store's `troubles`. */
export type Load = "open" | "older" | "newer" | "newest"
export const loadOf = (load: Load | "list", conversation = ""): string => `${load} ${conversation}`

/** A load that no screen waits for any more goes on for so long, in ms: a screen that is drawn anew finds it there. */
const UNWANTED_MS = 1_000

interface Running {
  /** How many wait for it. */
  wanted: number
  end: AbortController
  done: Promise<unknown>
}

export interface Loads {
  /**
   * Tries until it works; from the first failure on the store's `troubles` name it. All that ask for the same meanwhile
   * wait for the same, and its pauses go on though the one that asked first has gone. Undefined where `stop` fires.
   */
  load<T>(name: string, work: () => Promise<T>, stop?: AbortSignal): Promise<T | undefined>
}

export function createLoads(store: Pick<LiveStore, "setTrouble">, wake: () => AbortSignal): Loads {
  const loads = new Map<string, Running>()

  function begin(name: string, work: () => Promise<unknown>): Running {
    const end = new AbortController()
    const ended = () => {
      if (loads.get(name)?.end !== end) return
      loads.delete(name)
      store.setTrouble(name, false)
    }
    // At once, though its last request may take a while: a screen that is opened in the meantime is to begin anew.
    end.signal.addEventListener("abort", ended)
    const failed = () => store.setTrouble(name, true)
    const done = untilDone(work, { stop: end.signal, wake, failed }).finally(ended)
    const running = { wanted: 0, end, done }
    loads.set(name, running)
    return running
  }

  return {
    async load<T>(name: string, work: () => Promise<T>, stop?: AbortSignal) {
      if (stop?.aborted) return undefined
      const running = loads.get(name) ?? begin(name, work)
      running.wanted += 1
      const left = Promise.withResolvers<undefined>()
      const leave = () => {
        left.resolve(undefined)
        running.wanted -= 1
        setTimeout(() => running.wanted === 0 && running.end.abort(), UNWANTED_MS)
      }
      stop?.addEventListener("abort", leave, { once: true })
      const done = await Promise.race([running.done as Promise<T | undefined>, left.promise])
      stop?.removeEventListener("abort", leave)
      return done
    },
  }
}
