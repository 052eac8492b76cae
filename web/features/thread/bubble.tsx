"use client"

import { memo } from "react"
import type { SeedClock } from "../../server/seed.ts"
import { hueOf } from "../../ui/avatar.tsx"
import { timeOf } from "../shell/times.ts"
import { isEmojiOnly, linkify } from "./linkify.tsx"
import type { MessageRow } from "./rows.ts"
import styles from "./thread.module.css"
import { TickMark } from "./tick-mark.tsx"

export interface BubbleProps extends Omit<MessageRow, "key"> {
  /** In groups: the name above the first of a run. */
  name?: string
  clock: SeedClock
  onRetry: (id: string) => void
  onDiscard: (id: string) => void
}

export const Bubble = memo(
  function Bubble(props: BubbleProps) {
    const { id, text, own, first, last, name, at, clock, tick, reason } = props
    const large = text !== null && isEmojiOnly(text)
    return (
      <article
        className={styles.bubble}
        data-own={own}
        data-first={first}
        data-last={last}
        data-large={large}
        data-message={id}
      >
        {name && (
          <p className={`${styles.name} ${styles[`hue${hueOf(props.sender)}`]}`}>
            <bdi>{name}</bdi>
          </p>
        )}
        <p className={styles.body} dir="auto">
          {text === null ? <em>Message deleted</em> : linkify(text)}
        </p>
        <span className={styles.meta}>
          <time dateTime={new Date(at).toISOString()}>{timeOf(at, clock)}</time>
          {tick && <TickMark tick={tick} />}
        </span>
        {reason !== undefined && (
          <p className={styles.failed}>
            <span>Not sent. {reason}</span>
            <button type="button" onClick={() => props.onRetry(id)}>
              Try again
            </button>
            <button type="button" onClick={() => props.onDiscard(id)}>
              Discard
            </button>
          </p>
        )}
      </article>
    )
  },
  (a, b) =>
    a.id === b.id &&
    a.text === b.text &&
    a.tick === b.tick &&
    a.first === b.first &&
    a.last === b.last &&
    a.name === b.name &&
    a.reason === b.reason &&
    a.at === b.at &&
    a.clock.timeZone === b.clock.timeZone,
)
