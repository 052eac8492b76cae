"use client"

import type { CombinedError } from "@urql/core"
import { useState } from "react"
import { useMutation } from "urql"
import { AddMembers, RemoveMember } from "../../live/documents.ts"
import { sentenceOf } from "../../live/errors.ts"
import type { Conversation, User } from "../../live/model.ts"
import { Avatar } from "../../ui/avatar.tsx"
import buttons from "../../ui/button.module.css"
import { Dialog } from "../../ui/dialog.tsx"
import fields from "../../ui/field.module.css"
import { Icon } from "../../ui/icon.tsx"
import { UserSearch } from "../conversations/user-search.tsx"
import { useLive, useLiveState } from "../shell/context.tsx"
import styles from "./members.module.css"

type View = "list" | "add" | "leave"

/** A group's members: who they are, and for admins who they are to be. */
export function MembersPanel(props: { conversation: Conversation; onClose: () => void }) {
  const { conversation, onClose } = props
  const live = useLive()
  const viewer = useLiveState((state) => state.viewer.id)
  const [view, setView] = useState<View>("list")
  const [problem, setProblem] = useState<string>()
  const [, addMembers] = useMutation(AddMembers)
  const [, removeMember] = useMutation(RemoveMember)
  const { id, members, memberCount, title } = conversation
  const admin = members[viewer]?.role === "ADMIN"

  /** The change itself comes back through the live stream, as it does to everybody else. */
  async function attempt(work: () => Promise<{ error?: CombinedError | undefined }>) {
    const { error } = await work()
    setProblem(error && sentenceOf(error))
    return !error
  }

  async function add(user: User) {
    if (await attempt(() => addMembers({ conversation: id, users: [user.id] }))) setView("list")
  }

  async function leave() {
    if (await attempt(async () => ({ error: await live.leave(id) }))) onClose()
  }

  return (
    <Dialog title={view === "add" ? "Add people" : (title ?? "Group")} onClose={onClose}>
      {problem && (
        <p className={`${fields.error} ${styles.inset}`} role="alert">
          {problem}
        </p>
      )}
      {view === "add" ? (
        <>
          <UserSearch without={Object.keys(members)} onChoose={add} />
          <div className={styles.actions}>
            <button type="button" className={buttons.quiet} onClick={() => setView("list")}>
              Back to members
            </button>
          </div>
        </>
      ) : (
        <>
          <div className={styles.bar}>
            <h3>{memberCount === 1 ? "1 member" : `${memberCount} members`}</h3>
            {admin && (
              <button type="button" className={buttons.quiet} onClick={() => setView("add")}>
                <Icon name="plus" size={20} />
                Add people
              </button>
            )}
          </div>
          <MemberList
            conversation={conversation}
            onRemove={
              admin
                ? (user) => void attempt(() => removeMember({ conversation: id, user }))
                : undefined
            }
          />
          <div className={styles.actions}>
            {view === "leave" ? (
              <fieldset className={styles.sure} aria-label="Leave this group?">
                <button type="button" className={buttons.quiet} onClick={() => setView("list")}>
                  Stay
                </button>
                <button type="button" className={buttons.danger} onClick={leave}>
                  Leave for good
                </button>
              </fieldset>
            ) : (
              <button type="button" className={buttons.danger} onClick={() => setView("leave")}>
                <Icon name="leave" size={20} />
                Leave group
              </button>
            )}
          </div>
        </>
      )}
    </Dialog>
  )
}

function MemberList(props: { conversation: Conversation; onRemove?: (user: string) => void }) {
  const { conversation, onRemove } = props
  const viewer = useLiveState((state) => state.viewer.id)
  const users = useLiveState((state) => state.users)
  const nameOf = (user: string) => (user === viewer ? "You" : (users[user]?.name ?? "Someone"))
  const order = new Intl.Collator()
  const sorted = Object.entries(conversation.members).sort(([a], [b]) =>
    a === viewer ? -1 : b === viewer ? 1 : order.compare(nameOf(a), nameOf(b)),
  )
  return (
    <ul className={styles.list} aria-label="Members">
      {sorted.map(([user, { role }]) => (
        <li key={user} className={styles.member}>
          <Avatar id={user} name={users[user]?.name ?? "?"} small />
          <span className={styles.who}>
            <bdi className={styles.name}>{nameOf(user)}</bdi>
            <span className={styles.username}>@{users[user]?.username}</span>
          </span>
          {role === "ADMIN" && <span className={styles.role}>Admin</span>}
          {onRemove && user !== viewer && (
            <button
              type="button"
              className={buttons.icon}
              aria-label={`Remove ${nameOf(user)}`}
              title="Remove from the group"
              onClick={() => onRemove(user)}
            >
              <Icon name="close" size={18} />
            </button>
          )}
        </li>
      ))}
    </ul>
  )
}
