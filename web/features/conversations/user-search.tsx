"use client"

import { type ReactNode, useEffect, useId, useState } from "react"
import { useQuery } from "urql"
import { Users } from "../../live/documents.ts"
import { sentenceOf } from "../../live/errors.ts"
import type { User } from "../../live/model.ts"
import { userOf } from "../../live/wire.ts"
import { Avatar } from "../../ui/avatar.tsx"
import fields from "../../ui/field.module.css"
import { Icon } from "../../ui/icon.tsx"
import { useLive, useLiveState } from "../shell/context.tsx"
import styles from "./conversations.module.css"

/** Between two keys of a quick typist; longer pauses search. */
const TYPING_MS = 150

/** Finds people as one types; what a result does, and how it looks at its end, is the caller's. */
export function UserSearch(props: {
  without?: readonly string[]
  chosen?: readonly string[]
  onChoose: (user: User) => void
  children?: ReactNode
}) {
  const { without = [], chosen, onChoose, children } = props
  const { store } = useLive()
  const viewer = useLiveState((state) => state.viewer.id)
  const [text, setText] = useState("")
  const search = useSettled(text.trim().replace(/^@/, ""), TYPING_MS)
  const [{ data, fetching, error }] = useQuery({
    query: Users,
    variables: { search },
    pause: !search,
  })
  const users = search ? data?.users.map(userOf) : []
  const found = users?.filter(({ id }) => id !== viewer && !without.includes(id))
  const id = useId()

  function choose(user: User) {
    store.addUsers([user])
    onChoose(user)
  }

  return (
    <>
      <div className={styles.search}>
        <Icon name="search" size={20} />
        <input
          type="search"
          className={fields.input}
          aria-label="Search people"
          aria-controls={id}
          placeholder="Name or username"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          // biome-ignore lint/a11y/noAutofocus: the dialog was opened to search
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
          // In a form Enter would submit what is chosen so far, while one still looks for people.
          onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
        />
      </div>
      {children}
      <ul id={id} className={styles.results} aria-label="People" aria-busy={fetching}>
        {found?.map((user) => (
          <li key={user.id}>
            <button
              type="button"
              className={styles.person}
              aria-pressed={chosen?.includes(user.id)}
              onClick={() => choose(user)}
            >
              <Avatar id={user.id} name={user.name} small />
              <span className={styles.what}>
                <span className={styles.title} dir="auto">
                  {user.name}
                </span>
                <span className={styles.username}>@{user.username}</span>
              </span>
              {chosen?.includes(user.id) && <Icon name="check" />}
            </button>
          </li>
        ))}
      </ul>
      <p className={styles.hint} role="status">
        {!search && "Type a name or a username."}
        {search && error && sentenceOf(error)}
        {search && !error && !fetching && found?.length === 0 && "Nobody by that name."}
      </p>
    </>
  )
}

/** The value once it has not changed for `ms`. */
function useSettled(value: string, ms: number): string {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}
