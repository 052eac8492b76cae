import { until as waitUntil } from "@parley/testing/until.ts"
import type { Conversation, Entry } from "./model.ts"

/** Shared by the tests of this folder: Alice is the viewer, Bob writes to her. */
export const ALICE = "alice"
export const BOB = "bob"

export function aConversation(given: Partial<Conversation> = {}): Conversation {
  const none = { delivered: 0, read: 0 }
  return {
    id: "c1",
    kind: "DIRECT",
    title: null,
    createdAt: "2026-01-01T00:00:00Z",
    position: 0,
    entries: [],
    loadedTo: given.position ?? 0,
    complete: false,
    ahead: [],
    lastMessage: null,
    lastStatus: "sent",
    unread: 0,
    members: { [ALICE]: { role: "ADMIN", ...none }, [BOB]: { role: "MEMBER", ...none } },
    memberCount: 2,
    left: false,
    ...given,
  }
}

export function aMessage(seq: number, sender: string): Extract<Entry, { kind: "message" }> {
  const at = new Date(Date.UTC(2026, 0, 1, 12, 0, seq)).toISOString()
  const message = { id: `m${seq}`, seq, sender, text: `Message ${seq}`, sentAt: at }
  return { kind: "message", seq, at, by: sender, message }
}

/** Resolves once `holds` does; fails after 5 s: nothing here waits for a network. */
export const until = (holds: () => boolean): Promise<void> =>
  waitUntil(holds, "it to come to that", 5_000)

/** What a browser has and Bun has not: as a Map, and with the limit that a test sets. */
export function aLocalStorage(most = Number.POSITIVE_INFINITY): Storage {
  const items: Record<string, string> = {}
  const size = () => Object.values(items).reduce((sum, item) => sum + item.length, 0)
  const methods = {
    getItem: (key: string) => items[key] ?? null,
    setItem(key: string, value: string) {
      if (size() + value.length > most) throw new DOMException("Full", "QuotaExceededError")
      items[key] = value
    },
    removeItem: (key: string) => void delete items[key],
  }
  return new Proxy(methods as Storage, {
    ownKeys: () => Object.keys(items),
    getOwnPropertyDescriptor: (_target, key) =>
      key in items
        ? { configurable: true, enumerable: true, value: items[String(key)] }
        : undefined,
  })
}
