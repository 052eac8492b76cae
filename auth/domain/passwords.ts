import { badInput } from "@parley/platform/errors.ts"
import { mustBeText } from "@parley/platform/names.ts"
import list from "./common-passwords.txt" with { type: "text" }

const MIN_CHARACTERS = 10
const MAX_BYTES = 256

const COMMON = new Set(list.split("\n").filter((line) => line !== "" && !line.startsWith("#")))

/**
 * A password in the form in which it is hashed: NFKC, so that every keyboard and system gives the same one.
 * @throws ParleyError BAD_INPUT where no account can have that password: no text, empty, or more than 256 bytes.
 */
export function givenPassword(field: string, given: string): string {
  mustBeText(field, given)
  const password = given.normalize("NFKC")
  if (password === "") throw badInput(field, "Give a password.")
  if (Buffer.byteLength(password) > MAX_BYTES) {
    throw badInput(field, `A password has at most ${MAX_BYTES} bytes.`)
  }
  return password
}

/**
 * The same for a password that is to be set, after the advice of NIST SP 800-63B §3.1.1.2: long enough, none of the
 * commonest, not the username; no rules about kinds of characters.
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function newPassword(field: string, given: string, username: string): string {
  const password = givenPassword(field, given)
  if ([...password].length < MIN_CHARACTERS) {
    throw badInput(field, `A password has ${MIN_CHARACTERS} characters or more.`)
  }
  const folded = password.toLowerCase()
  if (COMMON.has(folded)) {
    throw badInput(field, "That is one of the commonest passwords: choose another one.")
  }
  if (folded === username) throw badInput(field, "The password must not be the username.")
  return password
}
