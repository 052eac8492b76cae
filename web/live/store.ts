import {
  covers,
  cutToOpen,
  extend,
  fill,
  hasGap,
  moveWatermarks,
  openAt,
  prepend,
  receive,
} from "./log.ts"
import type { Conversation, Entry, Pending, User } from "./model.ts"

export interface LiveState {
  viewer: User
  users: Readonly<Record<string, User>>
  conversations: Readonly<Record<string, Conversation>>
  /** The viewer's messages that are not in a log yet, in the order in which they were written. */
  pending: readonly Pending[]
  /** Loads that have failed and are being tried again, as `<what> <conversation>`. */
  troubles: readonly string[]
  /** Whether all conversations are known: the list is loaded page by page. */
  listComplete: boolean
}

/** What must be fetched before the picture is whole again; live/sync.ts does it. */
export interface Need {
  /** The entries of a hole; the whole conversation, anew; or only how much of it is unread. */
  need: "fill" | "conversation" | "count"
  conversation: string
}

export interface LiveStore {
  get(): LiveState
  /** Calls back after every change; returns what ends it. */
  subscribe(listener: () => void): () => void
  /** A log entry from the live stream or from an acknowledgement. */
  receive(conversation: string, entry: Entry): Need | undefined
  /** The server's complete answer to what is there after the position. */
  fill(conversation: string, entries: readonly Entry[]): Need | undefined
  /** An older page: all visible entries after `after`, as far as they are older than what is loaded. */
  prepend(conversation: string, entries: readonly Entry[], after: number): void
  /** The page to show in place of what is loaded: all visible entries after `after`, up to its last one. */
  openAt(conversation: string, entries: readonly Entry[], after: number): void
  /** Cuts what is loaded to where a reader who opens the conversation begins. */
  cutToOpen(conversation: string): void
  /** The page behind what is loaded: all visible entries after `after`, up to its last one. */
  extend(conversation: string, entries: readonly Entry[], after: number): void
  receipt(
    conversation: string,
    user: string,
    to: { delivered: number; read: number },
  ): Need | undefined
  /** The server's present picture of a conversation. `reset` drops what was known of its log. */
  adopt(snapshot: Conversation, options?: { reset?: boolean }): void
  addMembers(conversation: string, members: Conversation["members"]): void
  addUsers(users: readonly User[]): void
  /** It does not exist for the viewer (any more). */
  forget(conversation: string): void
  setPending(pending: readonly Pending[]): void
  setTrouble(load: string, failing: boolean): void
  setListComplete(complete: boolean): void
}

/**
 * The live store: everything that the screen shows, as one immutable value with structural sharing. It fetches
 * nothing; where an event leaves a question open, it says what is needed.
 */
export function createLiveStore(initial: LiveState): LiveStore {
  let state = initial
  const listeners = new Set<() => void>()

  const set = (next: LiveState) => {
    if (next === state) return
    state = next
    for (const listener of listeners) listener()
  }

  const put = (conversation: Conversation) => {
    if (state.conversations[conversation.id] === conversation) return
    set({
      ...state,
      conversations: { ...state.conversations, [conversation.id]: conversation },
      pending: withoutArrived(state.pending, conversation),
    })
  }

  return {
    get: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    receive(id, entry) {
      const known = state.conversations[id]
      // A viewer who was added again sees nothing of what happened meanwhile: begin anew.
      if (!known || (known.left && entry.seq > known.position))
        return { need: "conversation", conversation: id }
      const grown = receive(known, entry, state.viewer.id)
      put(grown)
      return hasGap(grown) ? { need: "fill", conversation: id } : undefined
    },
    fill(id, entries) {
      const known = state.conversations[id]
      if (!known) return { need: "conversation", conversation: id }
      const grown = fill(known, entries, state.viewer.id)
      put(grown)
      return hasGap(grown) ? { need: "fill", conversation: id } : undefined
    },
    prepend(id, entries, after) {
      const known = state.conversations[id]
      if (known) put(prepend(known, entries, after))
    },
    openAt(id, entries, after) {
      const known = state.conversations[id]
      if (known) put(openAt(known, entries, after))
    },
    cutToOpen(id) {
      const known = state.conversations[id]
      if (known) put(cutToOpen(known, state.viewer.id))
    },
    extend(id, entries, after) {
      const known = state.conversations[id]
      if (known) put(extend(known, entries, after))
    },
    receipt(id, user, to) {
      const known = state.conversations[id]
      if (!known) return { need: "conversation", conversation: id }
      const moved = moveWatermarks(known, user, to, state.viewer.id)
      put(moved)
      const uncounted =
        moved !== known &&
        user === state.viewer.id &&
        to.read < moved.position &&
        !covers(moved, to.read)
      return uncounted ? { need: "count", conversation: id } : undefined
    },
    adopt(snapshot, { reset = false } = {}) {
      const known = state.conversations[snapshot.id]
      put(
        known && !reset && !known.left
          ? merge(known, snapshot, state.viewer.id)
          : begin(snapshot, known),
      )
    },
    addMembers(id, members) {
      const known = state.conversations[id]
      if (!known) return
      let next: Conversation = { ...known, members: { ...members, ...known.members } }
      for (const [user, to] of Object.entries(members)) {
        next = moveWatermarks(next, user, to, state.viewer.id)
      }
      put(next)
    },
    addUsers(users) {
      const fresh = users.filter((user) => {
        const known = state.users[user.id]
        return known?.name !== user.name || known.username !== user.username
      })
      if (!fresh.length) return
      set({
        ...state,
        users: { ...state.users, ...Object.fromEntries(fresh.map((user) => [user.id, user])) },
      })
    },
    forget(id) {
      const known = state.conversations[id]
      if (known && !known.left) put({ ...known, left: true })
    },
    setPending(pending) {
      const open = pending.filter((one) => !hasArrived(one, state.conversations[one.conversation]))
      set({ ...state, pending: open })
    },
    setTrouble(load, failing) {
      if (state.troubles.includes(load) === failing) return
      const others = state.troubles.filter((other) => other !== load)
      set({ ...state, troubles: failing ? [...others, load] : others })
    },
    setListComplete(listComplete) {
      if (state.listComplete !== listComplete) set({ ...state, listComplete })
    },
  }
}

/** A fresh start from the server's picture; what is waiting beyond its head goes on waiting. */
const begin = (snapshot: Conversation, known: Conversation | undefined): Conversation => ({
  ...snapshot,
  ahead: known?.ahead.filter(({ seq }) => seq > snapshot.position) ?? [],
})

/** Takes over what is newer in the snapshot. The log goes its own way: entries come through `receive` and `fill`. */
function merge(known: Conversation, snapshot: Conversation, viewer: string): Conversation {
  let merged: Conversation = { ...known, title: snapshot.title }
  for (const [user, to] of Object.entries(snapshot.members)) {
    const old = merged.members[user]
    if (old && old.delivered >= to.delivered && old.read >= to.read && old.role === to.role)
      continue
    merged = { ...merged, members: { ...merged.members, [user]: { ...to, ...old, role: to.role } } }
    merged = moveWatermarks(merged, user, to, viewer)
  }
  if (snapshot.position !== known.position) return merged
  const ownRead = merged.members[viewer]?.read ?? 0
  const unread = ownRead > (snapshot.members[viewer]?.read ?? 0) ? merged.unread : snapshot.unread
  return {
    ...merged,
    unread,
    lastMessage: snapshot.lastMessage,
    lastStatus: snapshot.lastStatus,
    memberCount: snapshot.memberCount,
  }
}

function withoutArrived(pending: readonly Pending[], conversation: Conversation) {
  const open = pending.filter(
    (one) => one.conversation !== conversation.id || !hasArrived(one, conversation),
  )
  return open.length === pending.length ? pending : open
}

const hasArrived = ({ id, state }: Pending, conversation: Conversation | undefined): boolean =>
  conversation !== undefined &&
  ((state.is === "sent" && state.seq <= conversation.position) ||
    conversation.entries.some((entry) => entry.kind === "message" && entry.message.id === id))
