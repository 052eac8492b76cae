"use client"

import { type RefObject, useEffect, useRef, useState } from "react"
import type { Conversation } from "../../live/model.ts"
import { useLive } from "../shell/context.tsx"

/** Entries that are drawn at first (the longest first page), and how many more each time the reader comes near the oldest. */
const STEP = 220
/** Begins to load this far before the top comes into view, in CSS pixels. */
const AHEAD = "800px 0px 0px 0px"

/**
 * How many of the newest entries to draw. Grows as the reader goes up, from what is loaded and then page by page from the
 * server; back at the end, the window is small again, so that a long visit does not make the page slow.
 */
export function useOlder(
  scroller: RefObject<HTMLElement | null>,
  conversation: Conversation,
  atEnd: boolean | undefined,
) {
  const { sync } = useLive()
  const topRef = useRef<HTMLDivElement>(null)
  const [limit, setLimit] = useState(STEP)
  const { id, complete, entries } = conversation
  const loaded = entries.length
  const more = loaded > limit || !complete

  useEffect(() => {
    if (atEnd) setLimit(STEP)
  }, [atEnd])

  // Observed anew after each growth: whoever is still near the top gets the next page at once.
  useEffect(() => {
    const top = topRef.current
    if (!top || !more || loaded === 0) return
    let current = true
    const observer = new IntersectionObserver(
      async ([entry]) => {
        if (!entry?.isIntersecting) return
        observer.disconnect()
        if (loaded < limit + STEP && !complete) await sync.loadOlder(id).catch(() => {})
        if (current) setLimit((limit) => limit + STEP)
      },
      { root: scroller.current, rootMargin: AHEAD },
    )
    observer.observe(top)
    return () => {
      current = false
      observer.disconnect()
    }
  }, [scroller, sync, id, more, loaded, limit, complete])

  return { limit, topRef }
}
