"use client"

import { useEffect, useState } from "react"
import { eraseTraces, hasAccount, renewSessionAnew } from "../../live/session.ts"
import type { Visitor } from "../../server/viewer.ts"
import styles from "./auth.module.css"

/**
 * Says why a person who did not sign out has to sign in again. Where the session has ended while no page was open,
 * erases what it left on the device; where it may live, tries it first.
 */
export function SignedOut(props: { visitor: Visitor; ended: boolean; next: string }) {
  const { visitor, next } = props
  const [ended, setEnded] = useState(props.ended)

  useEffect(() => {
    const look = async () => {
      // Another site can send the visitor here by a POST, which browsers send without the cookies of a session that lives.
      if (visitor === "unknown" || hasAccount()) {
        const renewal = await renewSessionAnew()
        if (renewal === "renewed") return location.replace(next)
        if (renewal === "unreachable") return
      }
      if (await eraseTraces()) setEnded(true)
    }
    void look()
  }, [visitor, next])

  if (!ended) return null
  return (
    <p className={styles.reason} role="status">
      You were signed out on this device: the session was ended from another one, or it has expired.
      Messages that had not been sent were removed.
    </p>
  )
}
