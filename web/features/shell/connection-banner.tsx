"use client"

import { useEffect, useState, useSyncExternalStore } from "react"
import styles from "./chat.module.css"
import { useLive } from "./context.tsx"

/** Shorter interruptions are none of people's business. */
const PATIENCE_MS = 1_000

/** Above both panes: at phone width only one of them is there. */
export function ConnectionBanner() {
  const { socket } = useLive()
  const connection = useSyncExternalStore(
    socket.subscribe,
    socket.connection,
    () => "open" as const,
  )
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (connection !== "connecting") return setLate(false)
    const timer = setTimeout(() => setLate(true), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [connection])
  const offline = connection === "offline"
  return (
    <div role="status" className={styles.banner} data-shown={late || offline}>
      {offline ? "You are offline. What you write is sent later." : late && "Connecting…"}
    </div>
  )
}
