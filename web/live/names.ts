/**
 * Names and titles as they are shown: by the rules for new ones they are one line without controls, but those of
 * before the rules, and of other installations, may be anything.
 */

/** Turn the direction of what follows, up to the end of the paragraph: U+061C, 200E-F, 202A-E, 2066-9. */
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** Line and paragraph separators, and all other controls, tabs and escapes included. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu
/** What has no shape of its own; joiners belong into emoji and some scripts, so only a name of nothing else is none. */
const INVISIBLE = /^[\p{Cf}\p{Z}\p{Cn}\p{Mn}\u115f\u1160\u2800\u3164\uffa0]*$/u

/** A name on one line that cannot change what stands around it; empty where nothing of it would be seen. */
export function shownName(name: string): string {
  const line = name.replace(BIDI_CONTROLS, "").replace(BREAKS, " ").trim()
  return INVISIBLE.test(line) ? "" : line
}

const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u

/** For a name inside of a sentence that is plain text, where there is no `<bdi>`: keeps its direction to itself. */
export const isolated = (name: string): string =>
  RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name
