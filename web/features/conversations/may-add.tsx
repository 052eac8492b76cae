"use client"

import { useId, useState } from "react"
import { useMutation, useQuery } from "urql"
import { type Adders, Settings, UpdateSettings } from "../../live/documents.ts"
import { sentenceOf } from "../../live/errors.ts"
import buttons from "../../ui/button.module.css"
import fields from "../../ui/field.module.css"
import styles from "./conversations.module.css"

const CHOICES: { value: Adders; label: string }[] = [
  { value: "EVERYONE", label: "Everyone" },
  { value: "CONTACTS", label: "People I share a conversation with" },
  { value: "NOBODY", label: "Nobody" },
]

/** Who may add the viewer to a group or start a chat with them; kept by the server as soon as it is chosen. */
export function MayAdd() {
  const id = useId()
  const [{ data, error, fetching }, askAgain] = useQuery({ query: Settings })
  const [{ error: refusal, fetching: saving }, update] = useMutation(UpdateSettings)
  /** What was chosen last, and is on its way or kept; a refusal takes it back. */
  const [chosen, setChosen] = useState<Adders>()
  const present = chosen ?? data?.settings.mayAdd
  const problem = refusal ?? (present === undefined ? error : undefined)

  async function choose(mayAdd: Adders) {
    const before = present
    setChosen(mayAdd)
    const { error } = await update({ input: { mayAdd } })
    if (error) setChosen(before)
  }

  return (
    <fieldset className={styles.mayAdd} disabled={present === undefined || saving}>
      <legend>Who may add you</legend>
      <p>To groups, or by starting a chat with you.</p>
      {CHOICES.map(({ value, label }) => (
        <label key={value}>
          <input
            type="radio"
            name={id}
            value={value}
            checked={present === value}
            onChange={() => void choose(value)}
          />
          {label}
        </label>
      ))}
      {problem && (
        <div className={fields.error} role="alert">
          {sentenceOf(problem)}
          {present === undefined && (
            <button
              type="button"
              className={buttons.quiet}
              disabled={fetching}
              onClick={() => askAgain()}
            >
              Try again
            </button>
          )}
        </div>
      )}
    </fieldset>
  )
}
