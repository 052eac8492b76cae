import { badInput } from "./errors.ts"
import { MAX_MARKS } from "./limits.ts"

/**
 * The rule for lines that other people read: names of people, titles of groups, what an account says of itself, names of
 * devices. It follows PRECIS (RFC 8264, FreeformClass) and, for names and titles, its Nickname profile (RFC 8266).
 * docs/names.md states it in words; names.vectors.ts holds what it makes of examples.
 */
export type LineKind = "nickname" | "freeform"

/** Emoji as vendors draw them (UTS #51, RGI): the one place where joiners, selectors and tags mean something. */
const EMOJI = /\p{RGI_Emoji}/gv
/** Selectors that ask for the text or the emoji form of a character; outside of an emoji they change nothing. */
const PRESENTATION = /[\uFE0E\uFE0F]/g
/** CONTEXTJ (RFC 5892, A.1 and A.2): a joiner inside a word of a script in which it changes the letters' shapes. */
const JOINER =
  /(?<=[\p{sc=Arab}\p{sc=Syrc}\p{sc=Mong}\p{sc=Nkoo}\p{sc=Deva}\p{sc=Beng}\p{sc=Guru}\p{sc=Gujr}\p{sc=Orya}\p{sc=Taml}\p{sc=Telu}\p{sc=Knda}\p{sc=Mlym}\p{sc=Sinh}\p{sc=Khmr}\p{sc=Mymr}])[\u200C\u200D](?=[\p{L}\p{M}])/gu
/**
 * What FreeformClass disallows: controls and format characters, line and paragraph separators, code points that show
 * nothing (among them every control of text direction), unassigned and private ones, and old Hangul jamo.
 */
const DISALLOWED =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u1100-\u11FF\uA960-\uA97C\uD7B0-\uD7FB]/u
/**
 * Letters, digits, punctuation and symbols, apart from those that are drawn as nothing: the blank braille cell, a
 * placeholder, a note without a head, the blanks among the hieroglyphs.
 */
const VISIBLE = /(?![\u2800\uFFFC\u{1D159}\u{13441}\u{13442}])[\p{L}\p{N}\p{P}\p{S}]/u
const TOO_MANY_MARKS = new RegExp(`\\p{M}{${MAX_MARKS + 1}}`, "u")
const SPACES = /\p{Zs}+/gu

/**
 * Checks and normalises one line of text that other people read. A nickname is normalised to NFKC and its spaces are
 * folded into one; a freeform line is normalised to NFC. Both are trimmed.
 * @param limit the greatest length, in code points
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function lineOfText(
  field: string,
  given: string,
  limit: number,
  kind: LineKind = "freeform",
): string {
  mustBeText(field, given)
  // Bounded before it is normalised, which takes time; a character may be two code units, and fewer once composed.
  if (given.length > 4 * limit) throw tooLong(field, limit)
  // Twice, for what a selector kept apart: a letter and its mark, or two spaces (RFC 8264, section 7: rules are idempotent).
  const text = tidied(tidied(given, kind), kind)

  // No letter in the place of an emoji: a joiner before it would join nothing.
  const bare = text.replace(EMOJI, "!").replace(JOINER, "")
  if (DISALLOWED.test(bare)) {
    throw badInput(field, "Invisible characters and controls are not allowed here.")
  }
  if (TOO_MANY_MARKS.test(bare)) {
    throw badInput(field, `At most ${MAX_MARKS} marks on a letter are allowed here.`)
  }
  if (!VISIBLE.test(bare)) throw badInput(field, "There must be something to read here.")
  if (text.length > 2 * limit || [...text].length > limit) throw tooLong(field, limit)
  return text
}

/** The text in its normal form, trimmed, without selectors outside of emoji. */
function tidied(text: string, kind: LineKind): string {
  const normal = text.trim().normalize(kind === "nickname" ? "NFKC" : "NFC")
  const spaced = kind === "nickname" ? normal.replace(SPACES, " ") : normal
  return besideEmoji(spaced, (piece) => piece.replace(PRESENTATION, "")).trim()
}

/** Changes what stands before, between and after the emoji of a text; emoji stay whole. */
function besideEmoji(text: string, change: (piece: string) => string): string {
  let changed = ""
  let from = 0
  for (const { index, 0: emoji } of text.matchAll(EMOJI)) {
    changed += change(text.slice(from, index)) + emoji
    from = index + emoji.length
  }
  return changed + change(text.slice(from))
}

const tooLong = (field: string, limit: number) =>
  badInput(field, `At most ${limit} characters are allowed here.`)

/**
 * Refuses what is no Unicode text (a lone surrogate) and NUL, at which stores and terminals end a text.
 * @throws ParleyError BAD_INPUT that names the field.
 */
export function mustBeText(field: string, given: string): void {
  if (!given.isWellFormed()) throw badInput(field, "That is not well-formed Unicode text.")
  if (given.includes("\0")) throw badInput(field, "The character NUL is not allowed here.")
}

const PLAIN = /^[\x20-\x7E]*[\x21-\x7E][\x20-\x7E]*$/
const BREAKS = /[\p{Zl}\p{Zp}\t\n\v\f\r\u0085]+/gu
const ALL_DISALLOWED = new RegExp(DISALLOWED, "gu")

/**
 * A stored line as it may be shown. A line that was stored under an older rule loses its controls, its line breaks become
 * spaces, and where nothing visible is left, `otherwise` is shown. A line that lineOfText accepts is shown as it is.
 */
export function shownLine(stored: string, otherwise: string): string {
  if (PLAIN.test(stored)) return stored
  const text = besideEmoji(stored.replace(BREAKS, " "), (piece) => {
    const joiners = new Set([...piece.matchAll(JOINER)].map(({ index }) => index))
    return piece.replace(ALL_DISALLOWED, (character, at: number) =>
      joiners.has(at) ? character : "",
    )
  }).trim()
  return VISIBLE.test(text.replace(EMOJI, "x")) ? text : otherwise
}

/** Scripts with letters that look like Latin ones (UTS #39): inside one word beside Latin, they make a look-alike. */
const LOOKALIKE = /[\p{sc=Cyrl}\p{sc=Grek}\p{sc=Armn}\p{sc=Copt}\p{sc=Cher}\p{sc=Lisu}]/u
const LATIN = /\p{sc=Latn}/u
const WORDS = /[\p{L}\p{M}\p{N}]+/gu

/** Whether a word of the text mixes Latin letters with those of a script that has look-alikes of them. */
export const mixesLookalikes = (text: string): boolean =>
  !PLAIN.test(text) &&
  [...text.matchAll(WORDS)].some(([word]) => LATIN.test(word) && LOOKALIKE.test(word))
