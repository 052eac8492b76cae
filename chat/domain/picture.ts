import type { Entry, MembersEntry, Origin } from "./entry.ts"

export type Role = "MEMBER" | "ADMIN"

export interface Membership {
  role: Role
  /** The seq of the entry that made the user a member: the first that they may see. */
  since: number
  joinedAt: number
}

/** What a node knows of one conversation: its log, folded up to `head`. */
export interface Picture {
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
  /** Messages by author, for the authors seen since the picture was loaded. */
  authored: Map<string, number>
  /** The highest seq that another node says is in the log. Nothing goes by it but whether to look. */
  heard: number
}

export const emptyPicture = (id: string): Picture => ({
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
 * Takes the next entry of the log into the picture.
 * @throws RangeError where it is not the next one: a hole in a log is a defect, never something to carry on from.
 */
export function fold(picture: Picture, entry: Entry): void {
  if (entry.seq !== picture.head + 1) {
    throw new RangeError(`${picture.id}: entry ${entry.seq} does not follow ${picture.head}`)
  }
  picture.head = entry.seq
  picture.at = entry.at
  picture.messages = entry.tally.messages
  picture.membersSeq = entry.tally.members
  if (entry.kind === "message") picture.authored.set(entry.by, entry.tally.ofAuthor)
  else foldMembers(picture, entry)
}

function foldMembers(picture: Picture, entry: MembersEntry): void {
  if (entry.created) {
    picture.origin = entry.created
    picture.createdAt = entry.at
  }
  for (const user of entry.joined) {
    picture.members.set(user, { role: "MEMBER", since: entry.seq, joinedAt: entry.at })
  }
  for (const user of entry.left) picture.members.delete(user)
  setRole(picture, entry.promoted, "ADMIN")
  setRole(picture, entry.demoted, "MEMBER")
}

function setRole(picture: Picture, users: readonly string[], role: Role): void {
  for (const user of users) {
    const membership = picture.members.get(user)
    if (membership) membership.role = role
  }
}

/** Whom an entry concerns: the members after it, and those who left by it. The picture must stand at that entry. */
export const audience = (picture: Picture, entry: Entry): string[] =>
  entry.kind === "members"
    ? [...picture.members.keys(), ...entry.left]
    : [...picture.members.keys()]
