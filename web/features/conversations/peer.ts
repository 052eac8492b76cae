import type { Conversation, User } from "../../live/model.ts"

/** The other person of a direct conversation; undefined for a group. */
export const peerOf = (conversation: Conversation, viewer: string): string | undefined =>
  conversation.kind === "DIRECT"
    ? Object.keys(conversation.members).find((user) => user !== viewer)
    : undefined

/** What a conversation is called for this viewer. */
export function titleOf(
  conversation: Conversation,
  viewer: string,
  users: Readonly<Record<string, User>>,
): string {
  if (conversation.kind === "GROUP") return conversation.title ?? "Group"
  return users[peerOf(conversation, viewer) ?? viewer]?.name ?? "Someone"
}
