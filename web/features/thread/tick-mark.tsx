import type { PendingState, Tick } from "../../live/model.ts"
import styles from "./tick-mark.module.css"

type Shown = Tick | PendingState["is"]

const LABELS: Record<Shown, string> = {
  sending: "Sending",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  failed: "Failed",
}

const PATHS: Record<Shown, string> = {
  sending: "M8 3.5a5 5 0 1 0 0 10 5 5 0 0 0 0-10ZM8 5.8v2.9l1.9 1.1",
  sent: "M3.5 8.8l3 3 6.5-7",
  delivered: "M1 8.800l3 3 6.5-7M7.8 11l.8.8 6.5-7",
  read: "M1 8.800l3 3 6.5-7M7.8 11l.8.8 6.5-7",
  failed: "M8 2.800a5.7 5.7 0 1 0 0 11.400A5.7 5.7 0 0 0 8 2.800ZM8 5.500v3.600M8 11.300v.1",
}

/** How far a message has come, for eyes and for screen readers. */
export function TickMark({ tick }: { tick: Shown }) {
  return (
    <svg
      className={styles.tick}
      data-tick={tick}
      viewBox="0 0 16 16"
      role="img"
      aria-label={LABELS[tick]}
    >
      <path d={PATHS[tick]} />
    </svg>
  )
}
