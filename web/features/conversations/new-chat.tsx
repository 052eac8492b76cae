"use client"

import { useRef, useState } from "react"
import { useMutation } from "urql"
import { CreateGroup, StartDirect } from "../../live/documents.ts"
import { sentenceOf } from "../../live/errors.ts"
import type { User } from "../../live/model.ts"
import type { Sync } from "../../live/sync.ts"
import { uuidv7 } from "../../live/uuidv7.ts"
import buttons from "../../ui/button.module.css"
import { Dialog } from "../../ui/dialog.tsx"
import fields from "../../ui/field.module.css"
import { Icon } from "../../ui/icon.tsx"
import { useLive } from "../shell/context.tsx"
import { navigate, pathOf } from "../shell/navigation.ts"
import styles from "./conversations.module.css"
import { UserSearch } from "./user-search.tsx"

/** Starts a conversation: a tap on a person, or a group with a title and some people. */
export function NewChat({ onClose }: { onClose: () => void }) {
  const [group, setGroup] = useState(false)
  return (
    <Dialog title={group ? "New group" : "New chat"} onClose={onClose}>
      {group ? (
        <NewGroup onDone={onClose} />
      ) : (
        <NewDirect onDone={onClose} onGroup={() => setGroup(true)} />
      )}
    </Dialog>
  )
}

function NewDirect({ onDone, onGroup }: { onDone: () => void; onGroup: () => void }) {
  const { sync } = useLive()
  const [{ fetching, error }, startDirect] = useMutation(StartDirect)

  async function start(user: User) {
    if (fetching) return
    const { data } = await startDirect({ user: user.id })
    if (data) await enter(sync, data.startDirect.id, onDone)
  }

  return (
    <>
      <UserSearch onChoose={start}>
        <button type="button" className={styles.person} onClick={onGroup}>
          <span className={styles.round}>
            <Icon name="group" size={20} />
          </span>
          <span className={styles.title}>New group</span>
        </button>
      </UserSearch>
      {error && (
        <p className={`${fields.error} ${styles.inset}`} role="alert">
          {sentenceOf(error)}
        </p>
      )}
    </>
  )
}

function NewGroup({ onDone }: { onDone: () => void }) {
  const { sync } = useLive()
  const [title, setTitle] = useState("")
  const [people, setPeople] = useState<readonly User[]>([])
  const [{ fetching, error }, createGroup] = useMutation(CreateGroup)
  /** An attempt without an answer may have made the group: the same one, asked for again, goes by the same id. */
  const attempt = useRef({ what: "", id: "" })

  const toggle = (user: User) =>
    setPeople((people) =>
      people.some(({ id }) => id === user.id)
        ? people.filter(({ id }) => id !== user.id)
        : [...people, user],
    )

  async function create() {
    const wanted = { title: title.trim(), members: people.map(({ id }) => id) }
    const what = JSON.stringify(wanted)
    if (attempt.current.what !== what) attempt.current = { what, id: uuidv7() }
    const { data } = await createGroup({ ...wanted, id: attempt.current.id })
    if (data) await enter(sync, data.createGroup.id, onDone)
  }

  return (
    <form
      className={styles.group}
      onSubmit={(event) => {
        event.preventDefault()
        void create()
      }}
    >
      <div className={styles.inset}>
        <input
          className={fields.input}
          aria-label="Group name"
          placeholder="Group name"
          value={title}
          maxLength={100}
          dir="auto"
          onChange={(event) => setTitle(event.target.value)}
        />
      </div>
      <UserSearch chosen={people.map(({ id }) => id)} onChoose={toggle}>
        {people.length > 0 && (
          <ul className={styles.chips} aria-label="Chosen people">
            {people.map((user) => (
              <li key={user.id}>
                <button
                  type="button"
                  className={styles.chip}
                  aria-label={`Take out ${user.name}`}
                  onClick={() => toggle(user)}
                >
                  <bdi>{user.name}</bdi>
                  <Icon name="close" size={14} />
                </button>
              </li>
            ))}
          </ul>
        )}
      </UserSearch>
      {error && (
        <p className={`${fields.error} ${styles.inset}`} role="alert">
          {sentenceOf(error)}
        </p>
      )}
      <div className={styles.actions}>
        <button
          type="submit"
          className={buttons.primary}
          disabled={fetching || !title.trim() || people.length === 0}
        >
          Create group
        </button>
      </div>
    </form>
  )
}

/** Goes there with the conversation loaded, or without, where that takes long: the thread says so itself. */
async function enter(
  sync: Pick<Sync, "open">,
  conversation: string,
  onDone: () => void,
): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  await sync.open(conversation, patience)
  navigate(pathOf(conversation))
  onDone()
}

const PATIENCE_MS = 1_000
