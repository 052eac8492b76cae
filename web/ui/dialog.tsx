"use client"

import { type ReactNode, useEffect, useRef } from "react"
import buttons from "./button.module.css"
import styles from "./dialog.module.css"
import { Icon } from "./icon.tsx"

/** A modal dialog: the browser's own, so the focus stays in it, Esc closes it, and what is behind is inert. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const { title, onClose, children } = props
  const ref = useRef<HTMLDialogElement>(null)
  /** Whether the pointer went down outside: a selection that is dragged out of the dialog begins inside. */
  const outside = useRef(false)
  useEffect(() => ref.current?.showModal(), [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc is the keyboard's way, and the browser's own
    <dialog
      ref={ref}
      className={styles.dialog}
      aria-label={title}
      onClose={onClose}
      onPointerDown={(event) => {
        outside.current = event.target === ref.current
      }}
      onClick={(event) => {
        if (outside.current && event.target === ref.current) ref.current.close()
      }}
    >
      <div className={styles.body}>
        <header className={styles.head}>
          <h2>{title}</h2>
          <button
            type="button"
            className={buttons.icon}
            aria-label="Close"
            onClick={() => ref.current?.close()}
          >
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
