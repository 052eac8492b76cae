"use client"

import { useEffect } from "react"
import { useLiveState } from "./context.tsx"

/** The tab's title says how many conversations have something new. */
export function useTitle(): void {
  const fresh = useLiveState(
    ({ conversations }) =>
      Object.values(conversations).filter(({ unread, left }) => unread > 0 && !left).length,
  )
  useEffect(() => {
    document.title = fresh ? `(${fresh}) Parley` : "Parley"
  }, [fresh])
}
