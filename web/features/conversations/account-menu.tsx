"use client"

import { useState } from "react"
import { Avatar } from "../../ui/avatar.tsx"
import buttons from "../../ui/button.module.css"
import { Dialog } from "../../ui/dialog.tsx"
import fields from "../../ui/field.module.css"
import { Icon } from "../../ui/icon.tsx"
import { useLive, useLiveState } from "../shell/context.tsx"
import styles from "./conversations.module.css"
import { MayAdd } from "./may-add.tsx"

type State = { is: "closed" } | { is: "open"; problem?: string } | { is: "leaving" }

export function AccountMenu() {
  const live = useLive()
  const viewer = useLiveState((state) => state.viewer)
  const unsent = useLiveState((state) => state.pending).filter(({ state }) => state.is !== "sent")
  const [state, setState] = useState<State>({ is: "closed" })

  async function signOut() {
    setState({ is: "leaving" })
    try {
      await live.signOut()
    } catch {
      setState({
        is: "open",
        problem: "The server cannot be reached just now. Try again in a moment.",
      })
    }
  }

  return (
    <>
      <button
        type="button"
        className={buttons.icon}
        aria-label="Account"
        title="Account"
        onClick={() => setState({ is: "open" })}
      >
        <Avatar id={viewer.id} name={viewer.name} small />
      </button>
      {state.is !== "closed" && (
        <Dialog title="Account" onClose={() => setState({ is: "closed" })}>
          <div className={styles.account}>
            <Avatar id={viewer.id} name={viewer.name} />
            <div>
              <p className={styles.title} dir="auto">
                {viewer.name}
              </p>
              <p className={styles.username}>@{viewer.username}</p>
            </div>
          </div>
          <MayAdd />
          {unsent.length > 0 && (
            <p className={styles.hint}>
              {unsent.length === 1 ? "One message is" : `${unsent.length} messages are`} not sent
              yet and will be lost by signing out.
            </p>
          )}
          {state.is === "open" && state.problem && (
            <p className={`${fields.error} ${styles.inset}`} role="alert">
              {state.problem}
            </p>
          )}
          <div className={styles.actions}>
            <button
              type="button"
              className={buttons.danger}
              disabled={state.is === "leaving"}
              onClick={signOut}
            >
              <Icon name="leave" size={20} />
              Sign out
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
