import { badInput } from "@parley/platform/errors.ts"
import { lineOfText, mixesLookalikes, mustBeText } from "@parley/platform/names.ts"
import type { ProfileChange } from "../store/store.ts"
import { nameTerms } from "./search.ts"

const MAX_AVATAR_URL = 2_048

/** What a user may send of their profile: absent is "leave it", null is "take it away". */
export interface ProfileInput {
  name?: string | null
  about?: string | null
  avatarUrl?: string | null
}

/**
 * Checks a person's name and answers it in the form of the Nickname profile.
 * @throws ParleyError BAD_INPUT unless it is a line of 1 to 64 characters without words that pass for others.
 */
export function newName(given: string): string {
  const name = lineOfText("name", given, 64, "nickname")
  if (mixesLookalikes(name)) {
    throw badInput("name", "A word of a name is of one alphabet.")
  }
  return name
}

/**
 * Checks a change of the profile of `username`; a name taken away becomes the username again.
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function profileChange(username: string, input: ProfileInput): ProfileChange {
  const change: ProfileChange = {}
  if (input.name !== undefined) {
    const name = input.name === null ? username : newName(input.name)
    change.name = { name, terms: nameTerms(name) }
  }
  if (input.about !== undefined) {
    change.about = input.about?.trim() ? lineOfText("about", input.about, 500) : null
  }
  if (input.avatarUrl !== undefined) {
    change.avatarUrl = input.avatarUrl === null ? null : avatarUrl(input.avatarUrl)
  }
  return change
}

/** An https URL without credentials, or a path of this very site: nothing else may end up in an `<img>`. */
function avatarUrl(given: string): string {
  mustBeText("avatarUrl", given)
  if (given.length > MAX_AVATAR_URL) {
    throw badInput("avatarUrl", `An address has at most ${MAX_AVATAR_URL} characters.`)
  }
  const site = "https://site.invalid"
  // Browsers drop tabs and line ends inside an address and take \ for /: refuse them instead of guessing.
  const url = /[\s\p{Cc}\\]/u.test(given) ? null : URL.parse(given, site)
  const path = given.startsWith("/") && url?.origin === site
  const remote = /^https:\/\//i.test(given) && url?.protocol === "https:" && url.origin !== site
  if ((path || remote) && url?.username === "" && url.password === "") return given
  throw badInput("avatarUrl", "A picture's address starts with https:// or is a path of this site.")
}
