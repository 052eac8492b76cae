"use client"

import type { ReactNode } from "react"
import buttons from "../../ui/button.module.css"
import { useLive } from "../shell/context.tsx"
import styles from "./thread.module.css"

/** Says that a load has failed. It is tried again by itself, and at once by the button. */
export function TryAgain({ children }: { children: ReactNode }) {
  const { sync } = useLive()
  return (
    <div className={styles.trouble} role="status">
      <p>{children}</p>
      <button type="button" className={buttons.quiet} onClick={sync.hurry}>
        Try again
      </button>
    </div>
  )
}
