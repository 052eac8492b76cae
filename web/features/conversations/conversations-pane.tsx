"use client"

import { useMemo, useState } from "react"
import buttons from "../../ui/button.module.css"
import { Icon } from "../../ui/icon.tsx"
import { Mark } from "../../ui/mark.tsx"
import { useLiveState } from "../shell/context.tsx"
import { AccountMenu } from "./account-menu.tsx"
import { ConversationLine } from "./conversation-line.tsx"
import styles from "./conversations.module.css"
import { NewChat } from "./new-chat.tsx"
import { linesOf } from "./order.ts"

export function ConversationsPane({ open }: { open: string | undefined }) {
  const conversations = useLiveState((state) => state.conversations)
  const pending = useLiveState((state) => state.pending)
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
        {lines.length === 0 ? (
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
      </nav>
      {starting && <NewChat onClose={() => setStarting(false)} />}
    </>
  )
}
