"use client"

import { memo } from "react"
import type { Conversation, Pending } from "../../live/model.ts"
import { tickOf } from "../../live/ticks.ts"
import { Avatar } from "../../ui/avatar.tsx"
import { useClock, useLiveState, useNameOf } from "../shell/context.tsx"
import { followLink, pathOf } from "../shell/navigation.ts"
import { shortly } from "../shell/times.ts"
import { TickMark } from "../thread/tick-mark.tsx"
import styles from "./conversations.module.css"
import { peerOf, titleOf } from "./peer.ts"

export const ConversationLine = memo(function ConversationLine(props: {
  conversation: Conversation
  pending: Pending | undefined
  current: boolean
}) {
  const { conversation, pending, current } = props
  const viewer = useLiveState((state) => state.viewer.id)
  const users = useLiveState((state) => state.users)
  const title = titleOf(conversation, viewer, users)
  const { id, kind, unread } = conversation
  return (
    <a
      className={styles.line}
      href={pathOf(id)}
      onClick={followLink}
      aria-current={current ? "page" : undefined}
      data-unread={unread > 0}
    >
      <Avatar id={peerOf(conversation, viewer) ?? id} name={title} group={kind === "GROUP"} />
      <span className={styles.what}>
        <span className={styles.row}>
          <span className={styles.title} dir="auto">
            {title}
          </span>
          <When conversation={conversation} pending={pending} />
        </span>
        <span className={styles.row}>
          <Preview conversation={conversation} pending={pending} viewer={viewer} />
          {unread > 0 && (
            <span className={styles.badge}>
              {unread > 999 ? "999+" : unread}
              <span className="visually-hidden"> unread</span>
            </span>
          )}
        </span>
      </span>
    </a>
  )
})

function When({ conversation, pending }: { conversation: Conversation; pending?: Pending }) {
  const clock = useClock()
  const at =
    pending?.createdAt ?? Date.parse(conversation.lastMessage?.sentAt ?? conversation.createdAt)
  return (
    <time className={styles.when} dateTime={new Date(at).toISOString()}>
      {shortly(at, clock)}
    </time>
  )
}

function Preview(props: { conversation: Conversation; pending?: Pending; viewer: string }) {
  const { conversation, pending, viewer } = props
  const nameOf = useNameOf()
  if (pending) {
    return (
      <span className={styles.preview}>
        <TickMark tick={pending.state.is} />
        <bdi className={styles.text}>{oneLine(pending.text)}</bdi>
      </span>
    )
  }
  const { lastMessage, kind } = conversation
  if (!lastMessage) {
    return (
      <span className={styles.preview}>{kind === "GROUP" ? "Group created" : "Say hello"}</span>
    )
  }
  const own = lastMessage.sender === viewer
  return (
    <span className={styles.preview}>
      {own && <TickMark tick={tickOf(conversation, lastMessage.seq, viewer)} />}
      {!own && kind === "GROUP" && (
        <span className={styles.from}>
          <bdi>{nameOf(lastMessage.sender)}</bdi>:
        </span>
      )}
      <bdi className={styles.text}>{oneLine(lastMessage.text ?? "Message deleted")}</bdi>
    </span>
  )
}

/** More than fits a line is not worth sending to the page. */
const oneLine = (text: string) => text.slice(0, 160).replace(/\s+/g, " ")
