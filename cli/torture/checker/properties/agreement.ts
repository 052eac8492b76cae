import { describe } from "../logs.ts"
import type { Property } from "../property.ts"

export const agreement: Property = {
  name: "agreement",
  definition:
    "A seq of a conversation is the same entry for everyone who ever saw it, live, replayed, asked for or read from the store.",
  check: (_, logs) =>
    logs.disagreements.map(({ conversation, one, other }) => ({
      what: `${one.entry.seq} of ${conversation} is ${describe(one.entry)}, and ${describe(other.entry)}`,
      lines: [one.line, other.line],
    })),
}
