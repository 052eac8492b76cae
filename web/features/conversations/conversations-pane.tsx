"use client"

import { useEffect, useMemo, useRef, useState } from "react"
import { loadOf } from "../../live/loads.ts"
import buttons from "../../ui/button.module.css"
import { Icon } from "../../ui/icon.tsx"
import { Mark } from "../../ui/mark.tsx"
import { useLive, useLiveState } from "../shell/context.tsx"
import { TryAgain } from "../thread/try-again.tsx"
import { AccountMenu } from "./account-menu.tsx"
import { ConversationLine } from "./conversation-line.tsx"
import styles from "./conversations.module.css"
import { NewChat } from "./new-chat.tsx"
import { linesOf } from "./order.ts"

export function ConversationsPane({ open }: { open: string | undefined }) {
  const conversations = useLiveState((state) => state.conversations)
  const pending = useLiveState((state) => state.pending)
  const listComplete = useLiveState((state) => state.listComplete)
  const [starting, setStarting] = useState(false)
  const lines = useMemo(
    () => linesOf({ conversations, pending }, open),
    [conversations, pending, open],
  )
  return (
    <>
      <header className={styles.head}>
        <Mark size={30} />
        <h1 className={styles.brand}>Parley</h1>
        <button
          type="button"
          className={buttons.icon}
          aria-label="New chat"
          title="New chat"
          onClick={() => setStarting(true)}
        >
          <Icon name="plus" size={24} />
        </button>
        <AccountMenu />
      </header>
      <nav className={styles.scroller} aria-label="Conversations">
        {lines.length === 0 && listComplete ? (
          <div className={styles.empty}>
            <h2>No conversations yet</h2>
            <p>Find someone by their username and say hello.</p>
            <button type="button" className={buttons.primary} onClick={() => setStarting(true)}>
              Start a chat
            </button>
          </div>
        ) : (
          <ul>
            {lines.map(({ conversation, pending }) => (
              <li key={conversation.id}>
                <ConversationLine
                  conversation={conversation}
                  pending={pending}
                  current={conversation.id === open}
                />
              </li>
            ))}
          </ul>
        )}
        {!listComplete && <More />}
      </nav>
      {starting && <NewChat onClose={() => setStarting(false)} />}
    </>
  )
}

/** Where the list goes on: loads the next page while it is near the view, whether a page adds lines to see or not. */
function More() {
  const { sync } = useLive()
  const failing = useLiveState((state) => state.troubles.includes(loadOf("list")))
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = ref.current
    if (!element) return
    const gone = new AbortController()
    const next = async () => {
      await sync.loadMore(gone.signal)
      // Looks anew: an observer tells of changes only.
      observer.unobserve(element)
      if (!gone.signal.aborted) observer.observe(element)
    }
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void next(), {
      root: element.parentElement,
      rootMargin: "600px 0px",
    })
    observer.observe(element)
    return () => {
      gone.abort()
      observer.disconnect()
    }
  }, [sync])
  return (
    <div ref={ref} className={styles.more}>
      {failing ? (
        <TryAgain>More conversations cannot be loaded just now.</TryAgain>
      ) : (
        <span className={styles.spinner} aria-hidden="true" />
      )}
    </div>
  )
}
