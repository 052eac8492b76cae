"use client"

import { useEffect, useRef, useState } from "react"
import type { Conversation } from "../../live/model.ts"
import { useLiveState, useNameOf } from "../shell/context.tsx"

/** Reads others' new messages to screen readers; what is loaded or scrolled to is not announced. */
export function Announcer({ conversation }: { conversation: Conversation }) {
  const viewer = useLiveState((state) => state.viewer.id)
  const nameOf = useNameOf()
  const from = useRef(conversation.position)
  const [text, setText] = useState("")
  useEffect(() => {
    const newest = conversation.entries.at(-1)
    if (newest?.kind !== "message" || newest.seq <= from.current) return
    from.current = newest.seq
    const { sender, text } = newest.message
    if (sender !== viewer) setText(`${nameOf(sender)}: ${text ?? ""}`)
  }, [conversation, viewer, nameOf])
  return (
    <div className="visually-hidden" aria-live="polite">
      {text}
    </div>
  )
}
