import type { Conversation, Pending } from "../../live/model.ts"
import type { LiveState } from "../../live/store.ts"

/** One line of the list: a conversation and the viewer's newest message in it that is not in the log yet. */
export interface Line {
  conversation: Conversation
  pending: Pending | undefined
}

/**
 * What the list shows, newest activity first. A direct conversation in which nothing was ever written is shown to
 * nobody but whoever has it open.
 */
export function linesOf(
  { conversations, pending }: Pick<LiveState, "conversations" | "pending">,
  open: string | undefined,
): Line[] {
  const newest = new Map(pending.map((one) => [one.conversation, one]))
  return Object.values(conversations)
    .map((conversation) => ({ conversation, pending: newest.get(conversation.id) }))
    .filter(
      ({ conversation, pending }) => isShown(conversation, open) || (pending && !conversation.left),
    )
    .sort((a, b) => activity(b) - activity(a))
}

const isShown = ({ id, kind, lastMessage, left }: Conversation, open: string | undefined) =>
  !left && (kind === "GROUP" || lastMessage !== null || id === open)

const activity = ({ conversation, pending }: Line): number =>
  Math.max(
    Date.parse(conversation.entries.at(-1)?.at ?? conversation.createdAt) || 0,
    Date.parse(conversation.lastMessage?.sentAt ?? "") || 0,
    pending?.createdAt ?? 0,
  )
