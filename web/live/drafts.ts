import { DRAFT_CHARACTERS, DRAFTS } from "../limits.ts"

/**
 * What one person has begun to write, a text for each conversation, in localStorage: that is written with each key, so
 * that a tab that is closed or killed loses nothing. Beyond the bounds, the texts that have rested longest are forgotten.
 * Where the disk does not work they live as long as the page.
 */
export interface Drafts {
  /** The text that was begun; empty where there is none. */
  of(conversation: string): string
  /** An empty text is none. */
  keep(conversation: string, text: string): void
  /** At sign-out: from then on nothing is kept. */
  erase(): void
}

interface Draft {
  text: string
  /** Milliseconds since the epoch. */
  changedAt: number
}

const PREFIX = "parley.draft."
/** No user's id has it. */
const END_OF_USER = "/"

export function createDrafts(user: string): Drafts {
  const prefix = `${PREFIX}${user}${END_OF_USER}`
  const here = new Map<string, string>()
  let erased = false

  function put(key: string, text: string): void {
    const item = JSON.stringify({ text, changedAt: Date.now() } satisfies Draft)
    try {
      if (item.length > DRAFT_CHARACTERS) throw new Error("Too long to be kept.")
      makeRoom(key, item.length)
      localStorage.setItem(key, item)
    } catch {
      // Too long, full or forbidden: an older text in its place would be wrong.
      forget(key)
    }
  }

  return {
    of: (conversation) => here.get(conversation) ?? read(prefix + conversation)?.text ?? "",
    keep(conversation, text) {
      if (erased) return
      here.set(conversation, text)
      if (text === "") forget(prefix + conversation)
      else put(prefix + conversation, text)
    },
    erase() {
      erased = true
      here.clear()
      for (const key of keysWith(prefix)) forget(key)
    },
  }
}

/** Erases what those persons have left here who have no session in this browser any more. */
export function eraseDrafts(of: (owner: string) => boolean): void {
  for (const key of keysWith(PREFIX)) {
    if (of(key.slice(PREFIX.length, key.indexOf(END_OF_USER)))) forget(key)
  }
}

/** Forgets the oldest of the other drafts, until one of so many characters is within the bounds. */
function makeRoom(key: string, length: number): void {
  const others = keysWith(PREFIX)
    .filter((other) => other !== key)
    .map((other) => ({ other, draft: read(other), length: lengthOf(other) }))
    .sort((a, b) => (b.draft?.changedAt ?? 0) - (a.draft?.changedAt ?? 0))
  let characters = length
  for (const [index, { other, length }] of others.entries()) {
    characters += length
    if (index + 1 >= DRAFTS || characters > DRAFT_CHARACTERS) forget(other)
  }
}

function keysWith(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}

const lengthOf = (key: string): number => localStorage.getItem(key)?.length ?? 0

/** Any script of this site could have written it: what has not the shape of a draft is none. */
function read(key: string): Draft | undefined {
  try {
    const { text, changedAt } = JSON.parse(localStorage.getItem(key) ?? "null")
    if (typeof text !== "string" || typeof changedAt !== "number") return undefined
    return { text, changedAt }
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
