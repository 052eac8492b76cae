"use client"

import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react"
import { Icon } from "../../ui/icon.tsx"
import { useLive } from "../shell/context.tsx"
import styles from "./thread.module.css"

/** The server's limit, in characters (code points). */
const MAX_TEXT_LENGTH = 8_000

export function Composer({ conversation }: { conversation: string }) {
  const { send, drafts } = useLive()
  const [text, setText] = useState("")
  const field = useRef<HTMLTextAreaElement>(null)
  const over = text.length > MAX_TEXT_LENGTH ? [...text].length - MAX_TEXT_LENGTH : 0
  const sendable = text.trim() !== "" && over <= 0

  // Not at the first render: the server, which renders the same, knows of no draft.
  useLayoutEffect(
    () => setText((typed) => typed || drafts.of(conversation)),
    [drafts, conversation],
  )

  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) field.current?.focus()
  }, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const element = field.current
    if (!element || CSS.supports("field-sizing", "content")) return
    element.style.height = "auto"
    element.style.height = `${element.scrollHeight}px`
  }, [text])

  function change(next: string) {
    setText(next)
    drafts.keep(conversation, next)
  }

  function submit() {
    if (!sendable) return
    if (send(conversation, text.trim())) change("")
    field.current?.focus()
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    const plain = !(event.shiftKey || event.altKey || event.ctrlKey || event.metaKey)
    // While an input method is composing, Enter chooses a candidate.
    if (event.key !== "Enter" || !plain || event.nativeEvent.isComposing) return
    if (matchMedia("(pointer: coarse)").matches) return
    event.preventDefault()
    submit()
  }

  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <div className={styles.box}>
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          aria-label="Message"
          placeholder="Write a message"
          enterKeyHint="enter"
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {over > 0 && (
          <span className={styles.over} role="status">
            {over} too many
          </span>
        )}
      </div>
      <button type="submit" className={styles.send} aria-label="Send" disabled={!sendable}>
        <Icon name="send" />
      </button>
    </form>
  )
}
