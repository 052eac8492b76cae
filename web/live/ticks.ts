import type { Conversation, Tick } from "./model.ts"

/** How far one of the viewer's messages has come: delivered (or read) once it is so for every other member. */
export function tickOf(conversation: Conversation, seq: number, viewer: string): Tick {
  const { members, memberCount, lastMessage, lastStatus } = conversation
  const others = Object.keys(members).filter((user) => user !== viewer)
  // Of a big group some members may not be loaded; the newest message has the server's word.
  if (others.length + 1 < memberCount) return seq === lastMessage?.seq ? lastStatus : "sent"
  if (others.length === 0) return "sent"
  let least: Tick = "read"
  for (const user of others) {
    const { delivered = 0, read = 0 } = members[user] ?? {}
    if (delivered < seq) return "sent"
    if (read < seq) least = "delivered"
  }
  return least
}
