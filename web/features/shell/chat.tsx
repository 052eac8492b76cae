"use client"

import { useEffect, useState } from "react"
import { Provider as GraphProvider } from "urql"
import { keepFresh } from "../../live/keep-fresh.ts"
import { createLive } from "../../live/live.ts"
import type { Seed } from "../../server/seed.ts"
import { Mark } from "../../ui/mark.tsx"
import { ConversationsPane } from "../conversations/conversations-pane.tsx"
import { ThreadPane } from "../thread/thread-pane.tsx"
import styles from "./chat.module.css"
import { ConnectionBanner } from "./connection-banner.tsx"
import { ClockProvider, LiveProvider, useTickingClock } from "./context.tsx"
import { useOpenConversation } from "./navigation.ts"
import { useTitle } from "./use-title.ts"

/**
 * The signed-in app: two panes side by side, or one of them at phone width. It is rendered on the server from the
 * seed, and from then on lives from the live store; going from one conversation to the next never loads a page.
 */
export function Chat({ seed }: { seed: Seed }) {
  const [live] = useState(() => createLive(seed.state, seed.moreAfter))
  useEffect(() => live.start(), [live])
  useEffect(() => keepFresh(), [])
  const clock = useTickingClock(seed.clock)
  return (
    <LiveProvider value={live}>
      <GraphProvider value={live.client}>
        <ClockProvider value={clock}>
          <Panes />
        </ClockProvider>
      </GraphProvider>
    </LiveProvider>
  )
}

function Panes() {
  const open = useOpenConversation()
  useTitle()
  return (
    <div className={styles.app} data-open={open !== undefined}>
      <ConnectionBanner />
      <div className={styles.list}>
        <ConversationsPane open={open} />
      </div>
      <main className={styles.thread}>
        {open === undefined ? <NothingOpen /> : <ThreadPane key={open} conversation={open} />}
      </main>
    </div>
  )
}

const NothingOpen = () => (
  <div className={styles.nothing}>
    <Mark size={72} />
    <h2>Your conversations, side by side</h2>
    <p>Choose one on the left, or start a new one.</p>
  </div>
)
