"use client"

import { type FormEvent, useId, useRef, useState } from "react"
import buttons from "../../ui/button.module.css"
import fields from "../../ui/field.module.css"
import styles from "./auth.module.css"
import { type Refusal, signIn, signUp } from "./submit.ts"

type State = { is: "open"; refusal?: Refusal } | { is: "sending" }

/** The form for both: an account is made with the same two fields, and a name if one likes. */
export function AuthForm(props: { kind: "sign-in" | "sign-up"; next: string }) {
  const { kind, next } = props
  const creating = kind === "sign-up"
  const [state, setState] = useState<State>({ is: "open" })
  const form = useRef<HTMLFormElement>(null)
  const id = useId()
  const refusal = state.is === "open" ? state.refusal : undefined
  const invalid = (field: string) => refusal?.field?.endsWith(field) || undefined

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const text = (name: string) => String(data.get(name) ?? "")
    setState({ is: "sending" })
    const credentials = { username: text("username").trim(), password: text("password") }
    const name = text("name").trim()
    const refusal = creating
      ? await signUp(name ? { ...credentials, name } : credentials)
      : await signIn(credentials)
    // A full load: the page behind is rendered on the server, for the person who has just signed in.
    if (!refusal) return location.assign(next)
    setState({ is: "open", refusal })
    const field = refusal.field?.endsWith("username") ? "username" : "password"
    form.current?.querySelector<HTMLInputElement>(`[name=${field}]`)?.focus()
  }

  return (
    // Without script the form must not put a password into the address.
    <form ref={form} className={styles.form} method="post" onSubmit={submit}>
      {creating && (
        <div className={fields.field}>
          <label htmlFor={`${id}n`}>Name (optional)</label>
          <input
            id={`${id}n`}
            className={fields.input}
            name="name"
            autoComplete="name"
            maxLength={64}
            dir="auto"
          />
        </div>
      )}
      <div className={fields.field}>
        <label htmlFor={`${id}u`}>Username</label>
        <input
          id={`${id}u`}
          className={fields.input}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={64}
          aria-invalid={invalid("username")}
          aria-describedby={creating ? `${id}uh` : undefined}
        />
        {creating && <small id={`${id}uh`}>How people find you: a–z, 0–9, _ and .</small>}
      </div>
      <div className={fields.field}>
        <label htmlFor={`${id}p`}>Password</label>
        <input
          id={`${id}p`}
          className={fields.input}
          name="password"
          type="password"
          autoComplete={creating ? "new-password" : "current-password"}
          required
          aria-invalid={invalid("password")}
          aria-describedby={creating ? `${id}ph` : undefined}
        />
        {creating && <small id={`${id}ph`}>10 characters or more.</small>}
      </div>
      {refusal && (
        <p className={fields.error} role="alert">
          {refusal.message}
        </p>
      )}
      <button type="submit" className={buttons.primary} disabled={state.is === "sending"}>
        {creating ? "Create account" : "Sign in"}
      </button>
    </form>
  )
}
