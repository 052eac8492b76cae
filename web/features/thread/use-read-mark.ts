"use client"

import { type RefObject, useEffect, useState } from "react"
import { isAtEnd } from "../../live/log.ts"
import type { Conversation } from "../../live/model.ts"
import { useLive } from "../shell/context.tsx"

/** Less than this from the end counts as at the end, in CSS pixels. */
export const NEAR_END = 48

/**
 * Moves the read watermark while the newest message is on the screen, in a window that is visible and has the focus.
 * Returns whether the scroller is at its end, once that is known. Expects an element `[data-end]` behind the newest message.
 */
export function useReadMark(
  scroller: RefObject<HTMLElement | null>,
  conversation: Conversation,
): boolean | undefined {
  const live = useLive()
  const [atEnd, setAtEnd] = useState<boolean>()
  const attentive = useAttention()

  useEffect(() => {
    const root = scroller.current
    const end = root?.querySelector("[data-end]")
    if (!root || !end) return
    const observer = new IntersectionObserver(
      ([entry]) => entry && setAtEnd(entry.isIntersecting),
      { root, rootMargin: `0px 0px ${NEAR_END}px 0px` },
    )
    observer.observe(end)
    return () => observer.disconnect()
  }, [scroller])

  const { id, position, entries } = conversation
  // Further back the end of what is loaded is not the newest message.
  const shown = entries.length > 0 && isAtEnd(conversation)
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new position says that something new has come
  useEffect(() => {
    // Asked of the scroller itself: the observer does not know yet of a jump in this very moment.
    const there = atEnd && (scroller.current?.scrollTop ?? 0) > -NEAR_END
    if (there && attentive && shown) live.markRead(id)
  }, [live, atEnd, attentive, shown, id, position])

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
