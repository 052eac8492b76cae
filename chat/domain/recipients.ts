import type { ConversationState } from "./conversation-state.ts"
import type { Entry } from "./entry.ts"

/**
 * Who gets an entry: the members after it, and those who left by it. The state must stand at that entry. Within a node a
 * feed (delivery/feeds.ts) decides the same by the seqs of each membership; the bus needs the names.
 */
export const recipientsOf = (state: ConversationState, entry: Entry): string[] =>
  entry.kind === "members" ? [...state.members.keys(), ...entry.left] : [...state.members.keys()]
