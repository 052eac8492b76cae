import { badInput } from "@parley/platform/errors.ts"

const USERNAME = /^[A-Za-z0-9_.]{3,32}$/
/** Dots part words: a username neither begins nor ends with one, and no two stand side by side. */
const MISPLACED_DOT = /^\.|\.$|\.\./
const VISIBLE = /[a-z0-9]/i

/** Words that speak for the installation: a username made of them alone, or of what looks like them, is reserved. */
const OFFICIAL = words(`
  abuse account admin administration administrator help moderator official operator owner parley postmaster root security
  service staff support system team webmaster
`)
/** Words that mean something else to software, or in a mention: each is reserved as it is. */
const TAKEN = new Set(
  words(`
    all anonymous api auth bot channel chat deleted everyone gateway graphql here info mod noreply null undefined unknown
    user web
  `),
)

/**
 * What a username looks like at a glance, in the manner of a skeleton of UTS #39 for the characters that a username has:
 * digits become the letters that they resemble, and separators disappear.
 */
function skeleton(username: string): string {
  return username
    .toLowerCase()
    .replace(/[_.]/g, "")
    .replace(/[0134578i]/g, (character) => ALIKE[character as keyof typeof ALIKE])
    .replaceAll("rn", "m")
    .replaceAll("vv", "w")
}
const ALIKE = { 0: "o", 1: "l", i: "l", 3: "e", 4: "a", 5: "s", 7: "t", 8: "b" }

const LOOKS_OFFICIAL = new RegExp(`^(?:${OFFICIAL.map(skeleton).join("|")})+$`)

/**
 * Checks a username that is to be taken, and answers its one spelling, in lower case. Usernames are of ASCII, so that no
 * letter of another script can stand for one of theirs (RFC 8265 and UTS #39 are kept by what is left out).
 * @throws ParleyError BAD_INPUT unless it is 3 to 32 of a-z 0-9 _ and . that speak for a person.
 */
export function newUsername(given: string): string {
  const username = given.trim()
  // Checked before it is folded: some letters outside ASCII have a lower case inside it.
  if (!USERNAME.test(username) || !VISIBLE.test(username)) {
    throw badInput("username", "A username has 3 to 32 characters: letters a to z, digits, _ and .")
  }
  if (MISPLACED_DOT.test(username)) {
    throw badInput("username", "A dot stands between two other characters of a username.")
  }
  const spelling = username.toLowerCase()
  if (TAKEN.has(spelling) || LOOKS_OFFICIAL.test(skeleton(spelling))) {
    throw badInput("username", "That username is reserved: take another one.")
  }
  return spelling
}

/** The same spelling of what can be a username; undefined for everything else. */
export function usernameIn(given: string): string | undefined {
  const username = given.trim()
  return USERNAME.test(username) ? username.toLowerCase() : undefined
}

/** The same for a username that is looked up. What cannot be a username stays as it is, and names no account. */
export const foldUsername = (given: string): string => usernameIn(given) ?? given.trim()

function words(list: string): string[] {
  return list.trim().split(/\s+/)
}
