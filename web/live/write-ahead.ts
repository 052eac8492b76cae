import { WRITE_AHEAD_CHARACTERS, WRITE_AHEAD_MESSAGES } from "../limits.ts"
import type { Letter } from "./outbox-db.ts"

/**
 * The messages of one person that IndexedDB does not hold yet, in localStorage: that is written in the very moment of
 * sending, while IndexedDB takes some 50 ms, in which the tab may be closed or killed. One item each, so that tabs do
 * not write over each other.
 */
export interface WriteAhead {
  /** Returns whether it would survive the tab's end. */
  keep(letter: Letter): boolean
  drop(id: string): void
  has(id: string): boolean
  /** In the order of writing. */
  all(): Letter[]
  /** At sign-out: from then on nothing is kept. */
  erase(): void
}

const PREFIX = "parley.unsent."

export function createWriteAhead(user: string): WriteAhead {
  const prefix = `${PREFIX}${user}.`
  let erased = false
  return {
    keep(letter) {
      if (erased) return false
      try {
        const kept = keysWith(PREFIX)
        const size = kept.reduce((sum, key) => sum + (localStorage.getItem(key)?.length ?? 0), 0)
        const item = JSON.stringify(letter)
        if (kept.length >= WRITE_AHEAD_MESSAGES) return false
        if (size + item.length > WRITE_AHEAD_CHARACTERS) return false
        localStorage.setItem(prefix + letter.id, item)
        return true
      } catch {
        return false
      }
    },
    drop: (id) => forget(prefix + id),
    has(id) {
      try {
        return localStorage.getItem(prefix + id) !== null
      } catch {
        return false
      }
    },
    all() {
      const letters = keysWith(prefix).flatMap((key) => read(key) ?? [])
      return letters.sort((a, b) => a.createdAt - b.createdAt)
    },
    erase() {
      erased = true
      for (const key of keysWith(prefix)) forget(key)
    },
  }
}

/** Erases what those persons have left here who have no session in this browser any more. */
export function eraseWriteAhead(of: (owner: string) => boolean): void {
  for (const key of keysWith(PREFIX)) {
    if (of(key.slice(PREFIX.length, key.lastIndexOf(".")))) forget(key)
  }
}

function keysWith(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}

/** Any script of this site could have written it: what has not the shape of a letter is none. */
function read(key: string): Letter | undefined {
  try {
    const { id, conversation, text, createdAt, refused } = JSON.parse(
      localStorage.getItem(key) ?? "null",
    )
    const strings = [id, conversation, text].every((value) => typeof value === "string")
    if (!strings || typeof createdAt !== "number") return undefined
    const letter = { id, conversation, text, createdAt }
    return typeof refused === "string" ? { ...letter, refused } : letter
  } catch {
    return undefined
  }
}

function forget(key: string): void {
  try {
    localStorage.removeItem(key)
  } catch {
    // A browser without localStorage has kept nothing.
  }
}
