"use client"

import { type RefObject, useLayoutEffect, useRef } from "react"
import { NEAR_END } from "./use-read-mark.ts"

/**
 * Keeps what is being read where it is when something is added at the end, and goes to the end for one's own message.
 * On opening, shows where the fresh messages begin if they are more than fit the screen.
 */
export function useSteadyScroll(
  scroller: RefObject<HTMLElement | null>,
  newest: string | undefined,
  own: boolean,
): void {
  const before = useRef<{ newest: string; height: number }>(undefined)

  // After every render: what was put in front in the meantime must not count as added at the end.
  useLayoutEffect(() => {
    const element = scroller.current
    if (!element || newest === undefined) return
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
    else if (element.scrollTop < -NEAR_END) element.scrollTop -= height - last.height
  })
}
