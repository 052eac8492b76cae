import { expect, test } from "bun:test"
import { type Client, CombinedError } from "@urql/core"
import { stream } from "./stream.ts"

/** A server that refuses each stream after a moment. */
function refusing() {
  const ended = { streams: 0 }
  const client = {
    subscription: () => ({
      subscribe(next: (result: unknown) => void) {
        const error = new CombinedError({ networkError: new Error("refused") })
        queueMicrotask(() => next({ error }))
        return {
          unsubscribe() {
            ended.streams += 1
          },
        }
      },
    }),
  } as unknown as Client
  return { client, ended }
}

test("a stream that has ended leaves no listener behind", async () => {
  const { client, ended } = refusing()
  const stop = new AbortController()
  const listeners = new Set<unknown>()
  const { signal } = stop
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (type: string, listener: EventListener) => {
    listeners.add(listener)
    add(type, listener)
  }
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listeners.delete(listener)
    remove(type, listener)
  }
  const resume = () => ({ after: [], since: null })
  for (let run = 1; run <= 3; run += 1) {
    expect(await stream(client, resume, () => {}, signal)).toBeInstanceOf(CombinedError)
    expect(ended.streams).toBe(run)
    expect(listeners.size).toBe(0)
  }
})
