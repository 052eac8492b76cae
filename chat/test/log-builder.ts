import type { MembersEntry, MessageEntry, Origin } from "../domain/entry.ts"

const START = Date.UTC(2026, 0, 1)

export interface LogBuilder {
  founded(by: string, members?: readonly string[], origin?: Origin): MembersEntry
  message(by: string, text?: string, id?: string): MessageEntry
  changed(by: string, change: Partial<Pick<MembersEntry, Change>>): MembersEntry
}
type Change = "joined" | "left" | "promoted" | "demoted"

/** Writes the entries of one conversation by hand, tallies included, each a second after the one before. */
export function createLog(conversation: string): LogBuilder {
  let seq = 0
  let messages = 0
  let members = 0
  const authored = new Map<string, number>()

  const next = (by: string, isMessage: boolean) => {
    seq += 1
    if (isMessage) {
      messages += 1
      authored.set(by, (authored.get(by) ?? 0) + 1)
    } else members = seq
    const tally = { messages, ofAuthor: authored.get(by) ?? 0, members }
    return { conversation, seq, at: START + seq * 1000, by, tally }
  }
  const change = (by: string, given: Partial<MembersEntry>): MembersEntry => ({
    ...next(by, false),
    kind: "members",
    joined: [],
    left: [],
    promoted: [],
    demoted: [],
    ...given,
  })

  return {
    founded: (by, others = [], created = { kind: "GROUP", title: "Friends" }) =>
      change(by, { joined: [...new Set([by, ...others])], promoted: [by], created }),
    message: (by, text = "hello", id = messageId()) => ({
      ...next(by, true),
      kind: "message",
      id,
      text,
    }),
    changed: change,
  }
}

/** A new UUIDv7, as a client makes one. */
export const messageId = (at = Date.now()): string => Bun.randomUUIDv7("hex", at)
