"use client"

import { type RefObject, useCallback, useLayoutEffect, useRef } from "react"
import { NEAR_END } from "./use-read-mark.ts"

export interface Newest {
  /** Of the newest row. */
  key: string | undefined
  /** Whether it is the viewer's own message. */
  own: boolean
  /** Whether it is the newest of the conversation, and not only of what is loaded. */
  last: boolean
}

/**
 * Keeps what is being read where it is when something is added at the end, and goes to the end for one's own message.
 * On opening, shows where the fresh messages begin if they are more than fit the screen.
 * Returns what makes the scroller go to the end as soon as the newest message is drawn.
 */
export function useSteadyScroll(
  scroller: RefObject<HTMLElement | null>,
  { key, own, last }: Newest,
): () => void {
  const before = useRef<{ key: string; height: number; last: boolean }>(undefined)
  const jump = useRef(false)

  // After every render: what was put in front in the meantime must not count as added at the end.
  useLayoutEffect(() => {
    const element = scroller.current
    if (!element || key === undefined) return
    const { scrollHeight: height } = element
    const previous = before.current
    before.current = { key, height, last }
    if (!previous) {
      const fresh = element.querySelector<HTMLElement>("[data-fresh]")
      if (fresh && fresh.getBoundingClientRect().top < element.getBoundingClientRect().top) {
        fresh.scrollIntoView({ block: "start" })
      }
      return
    }
    if (jump.current && last) {
      jump.current = false
      element.scrollTop = 0
      return
    }
    if (previous.key === key) return
    // From the bottom up, scrollTop is 0 at the end and negative above it.
    if (own && previous.last) element.scrollTop = 0
    else if (element.scrollTop < -NEAR_END || !previous.last) {
      element.scrollTop -= height - previous.height
    }
  })

  return useCallback(() => {
    jump.current = true
  }, [])
}
