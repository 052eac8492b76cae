"use client"

import { useEffect, useState } from "react"
import { loadOf } from "../../live/loads.ts"
import { Avatar } from "../../ui/avatar.tsx"
import buttons from "../../ui/button.module.css"
import { Icon } from "../../ui/icon.tsx"
import { peerOf, titleOf } from "../conversations/peer.ts"
import { MembersPanel } from "../members/members-panel.tsx"
import { useConversation, useLive, useLiveState } from "../shell/context.tsx"
import { followLink, HOME, navigate } from "../shell/navigation.ts"
import { Composer } from "./composer.tsx"
import { MessageList } from "./message-list.tsx"
import styles from "./thread.module.css"
import { TryAgain } from "./try-again.tsx"

/** One conversation on the screen. Mounted anew for each one. */
export function ThreadPane({ conversation: id }: { conversation: string }) {
  const { sync } = useLive()
  const conversation = useConversation(id)
  const viewer = useLiveState((state) => state.viewer.id)
  const users = useLiveState((state) => state.users)
  const failing = useLiveState((state) => state.troubles.includes(loadOf("open", id)))
  const [found, setFound] = useState<"looking" | "here" | "absent">("looking")
  const [members, setMembers] = useState(false)

  useEffect(() => {
    const gone = new AbortController()
    void sync.open(id, gone.signal).then((found) => found !== "stopped" && setFound(found))
    return () => gone.abort()
  }, [sync, id])

  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return
      if (!document.querySelector("dialog[open]")) navigate(HOME)
    }
    addEventListener("keydown", close)
    return () => removeEventListener("keydown", close)
  }, [])

  if (!conversation || conversation.left) {
    const absent = conversation?.left || found === "absent"
    return (
      <section className={styles.pane} aria-label="Conversation">
        <div className={styles.absent} role="status">
          {absent && <p>You are not part of this conversation.</p>}
          {!absent && failing && <TryAgain>This conversation cannot be loaded just now.</TryAgain>}
          {!absent && !failing && <span className={styles.spinner} aria-hidden="true" />}
          {(absent || failing) && (
            <a className={buttons.quiet} href={HOME} onClick={followLink}>
              Back to your chats
            </a>
          )}
        </div>
      </section>
    )
  }

  const title = titleOf(conversation, viewer, users)
  const group = conversation.kind === "GROUP"
  const peer = peerOf(conversation, viewer)
  const face = (
    <>
      <Avatar id={peer ?? id} name={title} group={group} small />
      <span className={styles.who}>
        <span className={styles.title} dir="auto">
          {title}
        </span>
        <span className={styles.sub}>
          {group ? countOf(conversation.memberCount) : `@${users[peer ?? ""]?.username ?? ""}`}
        </span>
      </span>
    </>
  )
  return (
    <section className={styles.pane} aria-label={`Conversation with ${title}`}>
      <header className={styles.head}>
        <a
          className={`${buttons.icon} ${styles.back}`}
          href={HOME}
          onClick={followLink}
          aria-label="Back to conversations"
        >
          <Icon name="back" />
        </a>
        {group ? (
          <button
            type="button"
            className={styles.face}
            aria-label={`Members of ${title}`}
            onClick={() => setMembers(true)}
          >
            {face}
          </button>
        ) : (
          <h2 className={styles.face}>{face}</h2>
        )}
      </header>
      <MessageList conversation={conversation} title={title} />
      <Composer conversation={id} />
      {members && <MembersPanel conversation={conversation} onClose={() => setMembers(false)} />}
    </section>
  )
}

const countOf = (count: number) => (count === 1 ? "1 member" : `${count} members`)
