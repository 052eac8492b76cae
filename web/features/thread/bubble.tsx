"use client"

import { memo } from "react"
import type { SeedClock } from "../../server/seed.ts"
import { hueOf } from "../../ui/avatar.tsx"
import { timeOf } from "../shell/times.ts"
import { isEmojiOnly, linkify } from "./linkify.tsx"
import type { MessageRow } from "./rows.ts"
import styles from "./thread.module.css"
import { TickMark } from "./tick-mark.tsx"

export interface BubbleProps {
  message: MessageRow
  /** In groups: the name above the first of a run. */
  name?: string
  clock: SeedClock
  onRetry: (id: string) => void
  onDiscard: (id: string) => void
}

export const Bubble = memo(
  function Bubble(props: BubbleProps) {
    const { name, clock, onRetry, onDiscard } = props
    const { id, sender, text, own, first, last, at, tick, reason } = props.message
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
          <p className={`${styles.name} ${styles[`hue${hueOf(sender)}`]}`}>
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
            <button type="button" onClick={() => onRetry(id)}>
              Try again
            </button>
            <button type="button" onClick={() => onDiscard(id)}>
              Discard
            </button>
          </p>
        )}
      </article>
    )
  },
  // The rows are made anew with every change of the log; few of them differ.
  ({ message: a, ...one }, { message: b, ...two }) =>
    one.name === two.name &&
    one.clock.timeZone === two.clock.timeZone &&
    COMPARED.every((key) => a[key] === b[key]),
)

const COMPARED = ["id", "text", "tick", "first", "last", "reason", "at"] as const
