"use client"

import { type RefObject, useEffect, useState } from "react"
import type { Conversation } from "../../live/model.ts"
import { useLive } from "../shell/context.tsx"

/**
 * Moves the read watermark while the newest message is on the screen, in a window that is visible and has the focus.
 * Returns whether the scroller is at its end. Expects an element `[data-end]` behind the newest message.
 */
export function useReadMark(
  scroller: RefObject<HTMLElement | null>,
  conversation: Conversation,
): boolean {
  const live = useLive()
  const [atEnd, setAtEnd] = useState(true)
  const attentive = useAttention()

  useEffect(() => {
    const root = scroller.current
    const end = root?.querySelector("[data-end]")
    if (!root || !end) return
    const observer = new IntersectionObserver(
      ([entry]) => entry && setAtEnd(entry.isIntersecting),
      { root, rootMargin: "0px 0px 48px 0px" },
    )
    observer.observe(end)
    return () => observer.disconnect()
  }, [scroller])

  const { id, position } = conversation
  // The position says that something new has come, which is then read as well.
  useEffect(() => {
    if (atEnd && attentive && position > 0) live.markRead(id)
  }, [live, atEnd, attentive, id, position])

  return atEnd
}

/** True while the window is visible and has the focus. */
function useAttention(): boolean {
  const [attentive, setAttentive] = useState(false)
  useEffect(() => {
    const look = () => setAttentive(document.visibilityState === "visible" && document.hasFocus())
    look()
    document.addEventListener("visibilitychange", look)
    addEventListener("focus", look)
    addEventListener("blur", look)
    return () => {
      document.removeEventListener("visibilitychange", look)
      removeEventListener("focus", look)
      removeEventListener("blur", look)
    }
  }, [])
  return attentive
}
