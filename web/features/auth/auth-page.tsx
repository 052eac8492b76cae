import type { ReactNode } from "react"
import { Mark } from "../../ui/mark.tsx"
import styles from "./auth.module.css"

/** The frame of the pages for visitors who are not signed in. */
export function AuthPage(props: {
  title: string
  other: { ask: string; label: string; href: string }
  children: ReactNode
}) {
  const { title, other, children } = props
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <p className={styles.brand}>
          <Mark size={40} />
          Parley
        </p>
        <h1 className={styles.title}>{title}</h1>
        {children}
        <p className={styles.other}>
          {other.ask} <a href={other.href}>{other.label}</a>
        </p>
      </div>
    </main>
  )
}
