import { badInput } from "@parley/platform/errors.ts"
import { mustBeText } from "@parley/platform/names.ts"
import type { Store, User } from "../store/store.ts"

const MAX_RESULTS = 50
const MAX_SEARCH = 64
/** Of the matches by name so many are looked at; where there are more, the best of these are answered. */
const NAME_CANDIDATES = 200

/** How texts are compared in a search: without case, without accents, without compatibility forms. */
export const fold = (text: string): string =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/gu, " ").trim()

/** The folded name from each of its words on ("ada byron" → "ada byron", "byron"), so that "byr" and "ada b" both are prefixes. */
export function nameTerms(name: string): string[] {
  const folded = fold(name)
  const words = [...folded.matchAll(/[^\s\p{P}]+/gu)]
  return [...new Set([folded, ...words.map((word) => folded.slice(word.index))])]
}

/**
 * Users whose username, name, or a word of it begins with the text. Best first: usernames in alphabetical order, then
 * names that begin with it, then names with such a word.
 * @throws ParleyError BAD_INPUT where `first` is not 1 to 50, or the text is too long.
 */
export async function searchUsers(store: Store, text: string, first: number): Promise<User[]> {
  if (!Number.isInteger(first) || first < 1 || first > MAX_RESULTS) {
    throw badInput("first", `first must be from 1 to ${MAX_RESULTS}.`)
  }
  mustBeText("search", text)
  if (text.length > MAX_SEARCH) {
    throw badInput("search", `A search has at most ${MAX_SEARCH} characters.`)
  }
  const prefix = fold(text).replace(/^@/, "")
  if (prefix === "") return []

  const found = await store.usersByUsernamePrefix(prefix, first)
  if (found.length === first) return found
  const known = new Set(found.map((user) => user.id))
  const byName = (await store.usersByNamePrefix(prefix, NAME_CANDIDATES))
    .filter((user) => !known.has(user.id))
    .map((user) => ({ user, name: fold(user.name) }))
    .sort(
      (a, b) =>
        Number(b.name.startsWith(prefix)) - Number(a.name.startsWith(prefix)) ||
        compare(a.name, b.name) ||
        compare(a.user.username, b.user.username),
    )
  return [...found, ...byName.map(({ user }) => user)].slice(0, first)
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
