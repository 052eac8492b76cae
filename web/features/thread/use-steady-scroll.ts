"use client"

import { type RefObject, useLayoutEffect, useRef } from "react"

/** Less than this from the end counts as at the end, in CSS pixels. */
const NEAR = 48

/**
 * Keeps what is being read where it is when something is added at the end, and goes to the end for one's own message.
 * On opening, shows where the fresh messages begin if they are more than fit the screen.
 */
export function useSteadyScroll(
  scroller: RefObject<HTMLElement | null>,
  newest: string | undefined,
  own: boolean,
): void {
  const before = useRef<{ newest: string | undefined; height: number }>(undefined)

  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return
    const { scrollHeight: height } = element
    const last = before.current
    before.current = { newest, height }
    if (!last) {
      const fresh = element.querySelector<HTMLElement>("[data-fresh]")
      if (fresh && fresh.getBoundingClientRect().top < element.getBoundingClientRect().top) {
        fresh.scrollIntoView({ block: "start" })
      }
      return
    }
    if (last.newest === newest) return
    // From the bottom up, scrollTop is 0 at the end and negative above it.
    if (own) element.scrollTop = 0
    else if (element.scrollTop < -NEAR) element.scrollTop -= height - last.height
  }, [scroller, newest, own])
}
