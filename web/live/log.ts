import { LONGEST_PAGE } from "../limits.ts"
import type { Conversation, Entry, Membership } from "./model.ts"

/**
 * The rules by which one conversation's log grows, as pure functions. The promise: whatever the order and however often
 * entries arrive, `entries` is ascending, has each entry once and no hole, and ends at `loadedTo`: that is `position`,
 * unless the reader is further back.
 */

/** Takes one entry in from the live stream. The same object comes back where it brought nothing new. */
export function receive(conversation: Conversation, entry: Entry, viewer: string): Conversation {
  if (entry.seq <= conversation.position) return conversation
  if (entry.seq > conversation.position + 1) return setAside(conversation, entry)
  return catchUp(append(conversation, entry, viewer), viewer)
}

/**
 * Takes in what the server answered to "what is there after seq `after`?". Its answer has no holes but those that the
 * viewer may not see (from before they joined), so it may jump where the live stream may not.
 */
export function fill(
  conversation: Conversation,
  entries: readonly Entry[],
  viewer: string,
): Conversation {
  const grown = entries.reduce(
    (grown, entry) => (entry.seq > grown.position ? append(grown, entry, viewer) : grown),
    conversation,
  )
  return catchUp(grown, viewer)
}

/**
 * Puts an older page in front. `after` is what was asked for: entries with a higher seq. A page that does not reach what
 * is loaded by now, because the reader has gone elsewhere since it was asked for, is dropped.
 */
export function prepend(
  conversation: Conversation,
  entries: readonly Entry[],
  after: number,
): Conversation {
  const before = firstSeq(conversation)
  const last = entries.at(-1)
  if (last && (last.seq < before - 1 || after >= before - 1)) return conversation
  const older = entries.filter(({ seq }) => seq < before)
  const first = older[0]
  // Where the page does not begin right behind `after`, there is nothing older that the viewer may see.
  const complete = after <= 0 || first === undefined || first.seq > after + 1
  return { ...conversation, entries: [...older, ...conversation.entries], complete }
}

/** The seq of the oldest loaded entry; one past the position where none is loaded. */
export const firstSeq = (conversation: Conversation): number =>
  conversation.entries[0]?.seq ?? conversation.position + 1

/** Whether `entries` ends with the newest entry. */
export const isAtEnd = ({ loadedTo, position }: Conversation): boolean => loadedTo === position

/**
 * Puts a page in place of what is loaded: the entries after seq `after`. What was loaded and goes on where the page ends
 * is kept.
 */
export function openAt(
  conversation: Conversation,
  entries: readonly Entry[],
  after: number,
): Conversation {
  const { position } = conversation
  const page = entries.filter(({ seq }) => seq <= position)
  const end = page.at(-1)?.seq ?? after
  const goesOn = conversation.entries.length > 0 && firstSeq(conversation) <= end + 1
  const rest = goesOn ? conversation.entries.filter(({ seq }) => seq > end) : []
  const first = page[0]
  return {
    ...conversation,
    entries: [...page, ...rest],
    loadedTo: goesOn ? Math.max(end, conversation.loadedTo) : end,
    complete: after <= 0 || first === undefined || first.seq > after + 1,
  }
}

/**
 * Puts a newer page behind what is loaded: entries after `loadedTo`, as far as the position. `after` is what was asked
 * for; a page that begins beyond what is loaded by now is dropped.
 */
export function extend(
  conversation: Conversation,
  entries: readonly Entry[],
  after: number,
): Conversation {
  const { loadedTo, position } = conversation
  if (after > loadedTo) return conversation
  const newer = entries.filter(({ seq }) => seq > loadedTo && seq <= position)
  const last = newer.at(-1)
  if (!last) return conversation
  return { ...conversation, entries: [...conversation.entries, ...newer], loadedTo: last.seq }
}

/** A part of the log: `first` entries after seq `after`. */
export interface Range {
  after: number
  first: number
}

/** Entries a page. */
const PAGE = 50
/** So many entries before the first unread one, for the context. */
const CONTEXT = 10

/** What to show at first: from a little before the first unread message on, or the newest page where all is read. */
export function openingRange(conversation: Conversation, viewer: string): Range {
  const { position, unread } = conversation
  const newest = newestRange(conversation)
  if (unread === 0) return newest
  const read = readBy(viewer, conversation)
  const after = Math.max(0, Math.min(newest.after, read - CONTEXT))
  return { after, first: Math.min(LONGEST_PAGE, position - after) }
}

/** The newest page. */
export function newestRange({ position }: Conversation): Range {
  const after = Math.max(0, position - PAGE)
  return { after, first: position - after }
}

/** The page to load next, going back from what is loaded. */
export function olderRange(conversation: Conversation): Range {
  const before = firstSeq(conversation) - 1
  const after = Math.max(0, before - PAGE)
  return { after, first: before - after }
}

/** The page to load next, going on towards the newest. */
export function newerRange({ loadedTo, position }: Conversation): Range {
  return { after: loadedTo, first: Math.min(LONGEST_PAGE, position - loadedTo) }
}

/** Whether what is loaded is what a reader who opens the conversation is to see: the first unread message, or the end. */
export function isOpenable(conversation: Conversation, viewer: string): boolean {
  const { entries, position, unread, complete } = conversation
  if (position === 0) return true
  if (entries.length === 0) return false
  if (unread === 0) return isAtEnd(conversation)
  const read = readBy(viewer, conversation)
  return (
    (complete || firstSeq(conversation) <= read + 1) && countBeyond(read, entries) <= LONGEST_PAGE
  )
}

/**
 * Where more than a page of unread messages has come while the conversation was loaded: what a reader who opens it
 * begins with. The rest is loaded again as they go down.
 */
export function cutToOpen(conversation: Conversation, viewer: string): Conversation {
  const { entries, unread } = conversation
  const read = readBy(viewer, conversation)
  const beyond = countBeyond(read, entries)
  if (unread === 0 || beyond <= LONGEST_PAGE) return conversation
  const begin = Math.max(0, entries.length - beyond - CONTEXT)
  const kept = entries.slice(begin, entries.length - beyond + LONGEST_PAGE)
  const loadedTo = kept.at(-1)?.seq ?? conversation.loadedTo
  return {
    ...conversation,
    entries: kept,
    loadedTo,
    complete: conversation.complete && begin === 0,
  }
}

const readBy = (viewer: string, { members, position }: Conversation): number =>
  members[viewer]?.read ?? position

function countBeyond(seq: number, entries: readonly Entry[]): number {
  const first = entries.findIndex((entry) => entry.seq > seq)
  return first < 0 ? 0 : entries.length - first
}

/** True while entries wait beyond a hole. */
export const hasGap = (conversation: Conversation): boolean => conversation.ahead.length > 0

/** Moves a member's watermarks; only ever forward. */
export function moveWatermarks(
  conversation: Conversation,
  user: string,
  to: { delivered: number; read: number },
  viewer: string,
): Conversation {
  const old = conversation.members[user] ?? { role: "MEMBER", delivered: 0, read: 0 }
  const read = Math.max(old.read, to.read)
  const delivered = Math.max(old.delivered, to.delivered, read)
  if (read === old.read && delivered === old.delivered) return conversation
  const members = { ...conversation.members, [user]: { ...old, delivered, read } }
  const moved = { ...conversation, members }
  return user === viewer && read > old.read
    ? { ...moved, unread: unreadAfter(moved, read, viewer) }
    : moved
}

/** How many of others' messages lie beyond `read`; the old count where not all of them are loaded. */
function unreadAfter(conversation: Conversation, read: number, viewer: string): number {
  if (read >= conversation.position) return 0
  if (!covers(conversation, read)) return conversation.unread
  return conversation.entries.filter(
    (entry) => entry.kind === "message" && entry.seq > read && entry.message.sender !== viewer,
  ).length
}

/** Whether everything beyond `seq` is loaded. */
export const covers = (conversation: Conversation, seq: number): boolean =>
  isAtEnd(conversation) && (conversation.complete || firstSeq(conversation) <= seq + 1)

function append(conversation: Conversation, entry: Entry, viewer: string): Conversation {
  const shown = isAtEnd(conversation)
  const grown = {
    ...conversation,
    position: entry.seq,
    loadedTo: shown ? entry.seq : conversation.loadedTo,
    entries: shown ? [...conversation.entries, entry] : conversation.entries,
  }
  if (entry.kind === "message") {
    const own = entry.message.sender === viewer
    const unseen = !own && entry.seq > (grown.members[viewer]?.read ?? 0)
    return {
      ...grown,
      lastMessage: entry.message,
      lastStatus: "sent",
      unread: grown.unread + (unseen ? 1 : 0),
    }
  }
  return entry.kind === "members" ? withMembers(grown, entry, viewer) : grown
}

function withMembers(
  conversation: Conversation,
  entry: Extract<Entry, { kind: "members" }>,
  viewer: string,
): Conversation {
  const members: Record<string, Membership> = { ...conversation.members }
  let memberCount = conversation.memberCount
  for (const user of entry.joined) {
    if (!members[user]) memberCount += 1
    // Nothing from before they joined is theirs to receive or read.
    members[user] ??= { role: "MEMBER", delivered: entry.seq, read: entry.seq }
  }
  for (const user of entry.left) {
    // In a big group not every member is loaded; a user who left was one all the same.
    if (members[user] || Object.keys(members).length < memberCount) memberCount -= 1
    delete members[user]
  }
  for (const user of entry.promoted) {
    if (members[user]) members[user] = { ...members[user], role: "ADMIN" }
  }
  for (const user of entry.demoted) {
    if (members[user]) members[user] = { ...members[user], role: "MEMBER" }
  }
  const left = entry.left.includes(viewer) || (conversation.left && !entry.joined.includes(viewer))
  return { ...conversation, members, memberCount, left }
}

function setAside(conversation: Conversation, entry: Entry): Conversation {
  const { ahead } = conversation
  if (ahead.some(({ seq }) => seq === entry.seq)) return conversation
  return { ...conversation, ahead: [...ahead, entry].sort((a, b) => a.seq - b.seq) }
}

/** Moves entries over from `ahead` as far as there is no hole. */
function catchUp(conversation: Conversation, viewer: string): Conversation {
  let grown = conversation
  for (const entry of conversation.ahead) {
    if (entry.seq > grown.position + 1) break
    if (entry.seq === grown.position + 1) grown = append(grown, entry, viewer)
  }
  const ahead = grown.ahead.filter(({ seq }) => seq > grown.position)
  return ahead.length === grown.ahead.length ? grown : { ...grown, ahead }
}
