import type { ReactNode } from "react"
import buttons from "./button.module.css"
import { Mark } from "./mark.tsx"
import styles from "./notice.module.css"

type Action = { label: string } & ({ href: string } | { onClick: () => void })

/** A page, or a pane, that has one thing to say. */
export function Notice(props: { title: string; children?: ReactNode; action?: Action }) {
  const { title, children, action } = props
  return (
    <main className={styles.notice}>
      <Mark size={56} />
      <h1>{title}</h1>
      <p>{children}</p>
      {action &&
        ("href" in action ? (
          <a className={buttons.primary} href={action.href}>
            {action.label}
          </a>
        ) : (
          <button type="button" className={buttons.primary} onClick={action.onClick}>
            {action.label}
          </button>
        ))}
    </main>
  )
}
