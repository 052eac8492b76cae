"use client"

import { useCallback, useEffect, useMemo, useRef, useState } from "react"
import { loadOf } from "../../live/loads.ts"
import { isAtEnd, isOpenable } from "../../live/log.ts"
import type { Conversation } from "../../live/model.ts"
import buttons from "../../ui/button.module.css"
import { Icon } from "../../ui/icon.tsx"
import { useClock, useLive, useLiveState, useNameOf } from "../shell/context.tsx"
import { dayKey, dayOf } from "../shell/times.ts"
import { Announcer } from "./announcer.tsx"
import { Bubble } from "./bubble.tsx"
import { changeText } from "./change-text.ts"
import { daysOf, type Row, rowsOf } from "./rows.ts"
import styles from "./thread.module.css"
import { TryAgain } from "./try-again.tsx"
import { useOlder } from "./use-older.ts"
import { useReadMark } from "./use-read-mark.ts"
import { useSteadyScroll } from "./use-steady-scroll.ts"

/** The messages, once those are loaded that a reader is to begin with. */
export function MessageList(props: { conversation: Conversation; title: string }) {
  const { conversation } = props
  const viewer = useLiveState((state) => state.viewer.id)
  const failing = useLiveState((state) => state.troubles.includes(loadOf("open", conversation.id)))
  const openable = isOpenable(conversation, viewer)
  const [opened, setOpened] = useState(openable)
  useEffect(() => setOpened((opened) => opened || openable), [openable])
  if (opened) return <OpenList {...props} />
  return (
    <div className={styles.opening}>
      {failing ? (
        <TryAgain>The messages cannot be loaded just now.</TryAgain>
      ) : (
        <span className={styles.spinner} aria-hidden="true" />
      )}
    </div>
  )
}

/**
 * The scroller runs from the bottom up (column-reverse), so the newest message is where the first paint
 * is, older pages in front move nothing, and no script is needed for either.
 */
function OpenList(props: { conversation: Conversation; title: string }) {
  const { conversation, title } = props
  const { id, members, kind } = conversation
  const { sync } = useLive()
  const clock = useClock()
  const viewer = useLiveState((state) => state.viewer.id)
  const troubles = useLiveState((state) => state.troubles)
  const allPending = useLiveState((state) => state.pending)
  const scroller = useRef<HTMLDivElement>(null)
  const [fresh] = useState(() =>
    conversation.unread > 0
      ? { after: members[viewer]?.read ?? 0, count: conversation.unread }
      : undefined,
  )
  const atEnd = useReadMark(scroller, conversation)
  const { limit, topRef } = useOlder(scroller, conversation, atEnd)

  const pending = useMemo(
    () => allPending.filter(({ conversation }) => conversation === id),
    [allPending, id],
  )
  const { timeZone } = clock
  const rows = useMemo(
    () =>
      rowsOf(conversation, {
        viewer,
        pending,
        limit,
        fresh,
        dayKey: (at) => dayKey(at, { now: 0, timeZone }),
      }),
    [conversation, viewer, pending, limit, fresh, timeZone],
  )
  const newest = rows.at(-1)
  const last = isAtEnd(conversation)
  const jumpToEnd = useSteadyScroll(scroller, {
    key: newest?.key,
    own: newest?.row === "message" && newest.own,
    last,
  })
  const toEnd = useCallback(() => {
    if (last) return scroller.current?.scrollTo({ top: 0, behavior: "smooth" })
    jumpToEnd()
    void sync.loadNewest(id)
  }, [last, jumpToEnd, sync, id])

  // Who writes while further back wants to see it: at the end.
  const written = pending.at(-1)?.id
  const seen = useRef(written)
  useEffect(() => {
    if (written !== undefined && written !== seen.current && !last) toEnd()
    seen.current = written
  }, [written, last, toEnd])

  return (
    <div className={styles.stage}>
      <div
        ref={scroller}
        className={styles.scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scroller must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Messages with ${title}`}
      >
        <div data-end className={styles.end} />
        {!last && (
          <div className={styles.top}>
            {troubles.includes(loadOf("newer", id)) || troubles.includes(loadOf("newest", id)) ? (
              <TryAgain>Newer messages cannot be loaded just now.</TryAgain>
            ) : (
              <span className={styles.spinner} aria-hidden="true" />
            )}
          </div>
        )}
        <div className={styles.rows}>
          <div ref={topRef} className={styles.top}>
            {troubles.includes(loadOf("older", id)) ? (
              <TryAgain>Older messages cannot be loaded just now.</TryAgain>
            ) : (
              !conversation.complete && <span className={styles.spinner} aria-hidden="true" />
            )}
          </div>
          {daysOf(rows).map(({ day, rows }) => (
            <section key={day.key} className={styles.section}>
              <h3 className={styles.day}>
                <span>{dayOf(day.at, clock)}</span>
              </h3>
              {rows.map((row) => (
                <RowView key={row.key} row={row} kind={kind} viewer={viewer} />
              ))}
            </section>
          ))}
        </div>
      </div>
      {(atEnd === false || !last) && (
        <button
          type="button"
          className={`${buttons.icon} ${styles.down}`}
          aria-label="To the newest message"
          onClick={toEnd}
        >
          <Icon name="down" />
          {conversation.unread > 0 && <span className={styles.count}>{conversation.unread}</span>}
        </button>
      )}
      <Announcer conversation={conversation} />
    </div>
  )
}

function RowView({ row, kind, viewer }: { row: Row; kind: Conversation["kind"]; viewer: string }) {
  const live = useLive()
  const clock = useClock()
  const nameOf = useNameOf()
  switch (row.row) {
    case "fresh":
      return (
        <p className={styles.fresh} data-fresh>
          {row.count === 1 ? "1 new message" : `${row.count} new messages`}
        </p>
      )
    case "change":
      return <p className={styles.change}>{changeText(row.entry, kind, viewer, nameOf)}</p>
    case "message": {
      const named = kind === "GROUP" && row.first && !row.own
      const name = named ? nameOf(row.sender) : undefined
      const { retry, discard } = live
      return <Bubble message={row} name={name} clock={clock} onRetry={retry} onDiscard={discard} />
    }
    default:
      return null
  }
}
