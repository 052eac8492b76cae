"use client"

import { usePathname } from "next/navigation"
import type { MouseEvent } from "react"

export const HOME = "/"
export const pathOf = (conversation: string) => `/c/${conversation}`

/** The conversation that the address names. */
export const useOpenConversation = (): string | undefined =>
  /^\/c\/([^/]+)$/.exec(usePathname())?.[1]

/** Goes there without asking the server: all that the page needs is in the live store, or the store fetches it. */
export function navigate(path: string): void {
  if (path !== location.pathname) history.pushState(null, "", path)
}

/** For links: a plain click stays on the page, any other is the browser's. */
export function followLink(event: MouseEvent<HTMLAnchorElement>): void {
  const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
  if (event.button !== 0 || !plain) return
  event.preventDefault()
  navigate(event.currentTarget.pathname)
}
