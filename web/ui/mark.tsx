import styles from "./mark.module.css"

/** Parley's mark: two people, two bubbles. */
export function Mark({ size }: { size: number }) {
  return (
    <svg className={styles.mark} width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path
        className={styles.front}
        d="M13 3c6 0 10.5 3.9 10.5 8.900S19 20.8 13 20.800c-1.2 0-2.4-.2-3.5-.5L4.2 22.600c-.6.3-1.2-.4-.9-1l1.6-3.900C3.4 16.2 2.5 14.1 2.5 11.9 2.5 6.9 7 3 13 3Z"
      />
      <path
        className={styles.back}
        d="M26 12.500c.2 6-5 10.8-12 11 1.5 1.9 4.2 3.1 7.2 3.1 1 0 2-.1 2.9-.4l4 1.900c.6.3 1.2-.3 1-.9l-1.1-3.200c1.2-1.2 1.9-2.8 1.9-4.5 0-2.8-1.5-5.3-3.9-7Z"
      />
    </svg>
  )
}
