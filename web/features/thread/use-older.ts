"use client"

import { type RefObject, useEffect, useRef, useState } from "react"
import { DRAWN_ENTRIES } from "../../limits.ts"
import { isAtEnd } from "../../live/log.ts"
import type { Conversation, Entry } from "../../live/model.ts"
import { useLive } from "../shell/context.tsx"

/** Begins to load this far before the end of what is drawn comes into view, in CSS pixels. */
const AHEAD = "800px 0px"

/**
 * How many of the loaded entries to draw, the newest ones. Grows as the reader goes up, first through what is loaded
 * and then page by page from the server; at the newest message it is small again, so that a long visit does not make
 * the page slow. Further back, what is loaded also grows at its lower end, until that is the newest message.
 */
export function useOlder(
  scroller: RefObject<HTMLElement | null>,
  conversation: Conversation,
  atEnd: boolean | undefined,
) {
  const { sync } = useLive()
  const topRef = useRef<HTMLDivElement>(null)
  const { id, complete, entries, loadedTo } = conversation
  const newest = isAtEnd(conversation)
  /** The oldest seq to draw; undefined: as many as are drawn at first. */
  const [from, setFrom] = useState(() => (newest ? undefined : entries[0]?.seq))
  const limit = from === undefined ? DRAWN_ENTRIES : countFrom(entries, from)
  const hidden = Math.max(0, entries.length - limit)
  const top = entries[hidden]?.seq

  useEffect(() => {
    // Away from the end, nothing above may go while something is added below.
    if (!newest || atEnd === false) setFrom((from) => from ?? top)
    else if (atEnd) setFrom(undefined)
  }, [atEnd, newest, top])

  // Observed anew after each growth: a reader who is still near the top gets the next page at once. Nothing grows where
  // a load fails: it is tried again after pauses.
  useNear(
    scroller,
    () => topRef.current,
    top !== undefined && (hidden > 0 || !complete),
    `${top} ${entries[0]?.seq}`,
    (gone) => {
      if (hidden > 0) setFrom(entries[Math.max(0, hidden - DRAWN_ENTRIES)]?.seq)
      else void sync.loadOlder(id, gone)
    },
  )
  useNear(scroller, endOf, !newest, `${loadedTo}`, (gone) => void sync.loadNewer(id, gone))

  return { limit, topRef }
}

const endOf = (scroller: HTMLElement) => scroller.querySelector("[data-end]")

const countFrom = (entries: readonly Entry[], seq: number): number =>
  entries.length -
  Math.max(
    0,
    entries.findIndex((entry) => entry.seq >= seq),
  )

/** Calls back once when the element comes near the scroller's view; again for each new `turn`. */
function useNear(
  scroller: RefObject<HTMLElement | null>,
  find: (scroller: HTMLElement) => Element | null,
  wanted: boolean,
  turn: string,
  near: (gone: AbortSignal) => void,
): void {
  const latest = useRef({ find, near })
  useEffect(() => {
    latest.current = { find, near }
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: each turn looks anew
  useEffect(() => {
    const root = scroller.current
    const element = root && latest.current.find(root)
    if (!element || !wanted) return
    const gone = new AbortController()
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return
        observer.disconnect()
        latest.current.near(gone.signal)
      },
      { root, rootMargin: AHEAD },
    )
    observer.observe(element)
    return () => {
      gone.abort()
      observer.disconnect()
    }
  }, [scroller, wanted, turn])
}
