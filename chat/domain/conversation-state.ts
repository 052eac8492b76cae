import type { Entry, MembersEntry, Origin } from "./entry.ts"

export type Role = "MEMBER" | "ADMIN"

export interface Membership {
  role: Role
  /** The seq of the entry that made the user a member: the first that they may see. */
  since: number
  joinedAt: number
}

/** What a node knows of one conversation: its log, folded up to `head`. */
export interface ConversationState {
  readonly id: string
  /** Undefined where the log is empty: there is no such conversation. */
  origin: Origin | undefined
  createdAt: number
  head: number
  /** The time of the newest entry. */
  at: number
  messages: number
  /** The seq of the newest change of members. */
  membersSeq: number
  members: Map<string, Membership>
  /** Messages by author, for the authors seen since the state was loaded. */
  authored: Map<string, number>
  /** The highest seq that another node says is in the log. Nothing goes by it but whether to look. */
  heard: number
}

export const emptyState = (id: string): ConversationState => ({
  id,
  origin: undefined,
  createdAt: 0,
  head: 0,
  at: 0,
  messages: 0,
  membersSeq: 0,
  members: new Map(),
  authored: new Map(),
  heard: 0,
})

/**
 * Takes the next entry of the log into the state.
 * @throws RangeError where it is not the next one: a hole in a log is a defect, never something to carry on from.
 */
export function fold(state: ConversationState, entry: Entry): void {
  if (entry.seq !== state.head + 1) {
    throw new RangeError(`${state.id}: entry ${entry.seq} does not follow ${state.head}`)
  }
  state.head = entry.seq
  state.at = entry.at
  state.messages = entry.tally.messages
  state.membersSeq = entry.tally.members
  if (entry.kind === "message") state.authored.set(entry.by, entry.tally.ofAuthor)
  else foldMembers(state, entry)
}

function foldMembers(state: ConversationState, entry: MembersEntry): void {
  if (entry.created) {
    state.origin = entry.created
    state.createdAt = entry.at
  }
  for (const user of entry.joined) {
    state.members.set(user, { role: "MEMBER", since: entry.seq, joinedAt: entry.at })
  }
  for (const user of entry.left) state.members.delete(user)
  setRole(state, entry.promoted, "ADMIN")
  setRole(state, entry.demoted, "MEMBER")
}

function setRole(state: ConversationState, users: readonly string[], role: Role): void {
  for (const user of users) {
    const membership = state.members.get(user)
    if (membership) membership.role = role
  }
}
