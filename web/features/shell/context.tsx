"use client"

import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react"
import type { Live } from "../../live/live.ts"
import type { LiveState } from "../../live/store.ts"
import type { SeedClock } from "../../server/seed.ts"

const LiveContext = createContext<Live | null>(null)
const ClockContext = createContext<SeedClock>({ now: 0, timeZone: "UTC" })
export const LiveProvider = LiveContext.Provider
export const ClockProvider = ClockContext.Provider

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (!live) throw new Error("useLive is for what is inside of <Chat>.")
  return live
}

/** A part of the live state; `select` must give the same object as long as nothing in it has changed. */
export function useLiveState<T>(select: (state: LiveState) => T): T {
  const { store } = useLive()
  const read = () => select(store.get())
  return useSyncExternalStore(store.subscribe, read, read)
}

export const useConversation = (id: string) => useLiveState((state) => state.conversations[id])

/** A user's name for people; "Someone" as long as it is not known. */
export function useNameOf(): (user: string) => string {
  const users = useLiveState((state) => state.users)
  return useCallback((user) => users[user]?.name ?? "Someone", [users])
}

export const useClock = (): SeedClock => useContext(ClockContext)

/** The server's moment and zone for the first render, this device's from then on; renewed every minute. */
export function useTickingClock(seed: SeedClock): SeedClock {
  const [clock, setClock] = useState(seed)
  useEffect(() => {
    const tick = () =>
      setClock({ now: Date.now(), timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone })
    tick()
    const timer = setInterval(tick, 60_000)
    return () => clearInterval(timer)
  }, [])
  useEffect(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
    document.cookie = `parley_tz=${clock.timeZone}; path=/; max-age=31536000; samesite=lax`
  }, [clock.timeZone])
  return clock
}
