import { badInput } from "@parley/service/errors.ts"

/** Controls, line separators, and the marks that turn the direction of the text around them (CVE-2021-42574). */
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u
/** What shows on a screen; a name must have some of it. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

/**
 * One line of text that other people get to see: trimmed, NFC, with something visible in it.
 * @param limit the greatest length, in code points
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function lineOfText(field: string, given: string, limit: number): string {
  mustBeText(field, given)
  const text = given.normalize("NFC").trim()
  if (FORBIDDEN.test(text)) throw badInput(field, "Control characters are not allowed here.")
  if (!VISIBLE.test(text)) throw badInput(field, "There must be something to read here.")
  // Code units bound code points from above: spread only what is short.
  if (text.length > 2 * limit || [...text].length > limit) {
    throw badInput(field, `At most ${limit} characters are allowed here.`)
  }
  return text
}

/**
 * Refuses what is no Unicode text (a lone surrogate) and NUL, which stores and terminals cut texts at.
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function mustBeText(field: string, given: string): void {
  if (!given.isWellFormed()) throw badInput(field, "That is not well-formed Unicode text.")
  if (given.includes("\0")) throw badInput(field, "The character NUL is not allowed here.")
}
