/**
 * What the rule for names, titles and other lines makes of examples: docs/names.md shows the same table. `becomes` is what
 * is stored, and `refused` says why nothing is.
 */
export interface Vector {
  given: string
  what: string
  becomes?: string
  refused?: "invisible" | "marks" | "nothing" | "long" | "malformed"
}

export const NICKNAME_VECTORS: readonly Vector[] = [
  { given: "Alice", what: "plain", becomes: "Alice" },
  { given: "  Alice   B. \n", what: "spaces at the ends and in a row", becomes: "Alice B." },
  { given: "Alice\u3000\u00a0B.", what: "spaces other than U+0020", becomes: "Alice B." },
  { given: "Zoe\u0308", what: "a letter and a mark", becomes: "Zo\u00eb" },
  { given: "\uff21\uff4c\uff49\uff43\uff45", what: "full-width letters", becomes: "Alice" },
  { given: "\u{1d49c}\u{1d4c1}\u{1d4be}", what: "mathematical letters", becomes: "Ali" },
  { given: "Henry \u2163", what: "a Roman numeral (RFC 8266, 3.1)", becomes: "Henry IV" },
  {
    given: "\u{1f469}\u200d\u{1f469}\u200d\u{1f467} us",
    what: "an emoji of three people, joined",
    becomes: "\u{1f469}\u200d\u{1f469}\u200d\u{1f467} us",
  },
  {
    given: "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    what: "a flag made of tags",
    becomes: "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
  },
  { given: "\u2764\ufe0f", what: "a heart as an emoji", becomes: "\u2764\ufe0f" },
  { given: "a\ufe0f\ufe0fb", what: "selectors outside of an emoji", becomes: "ab" },
  { given: "e\ufe0f\u0301", what: "a selector between a letter and its mark", becomes: "\u00e9" },
  { given: "a \ufe0f b", what: "a selector between two spaces", becomes: "a b" },
  {
    given: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    what: "a Persian word with a non-joiner",
    becomes: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
  },
  {
    given: "\u0915\u094d\u200d\u0937",
    what: "a Devanagari conjunct with a joiner",
    becomes: "\u0915\u094d\u200d\u0937",
  },
  {
    given: "\u05e9\u05c1\u05b8\u05dc",
    what: "Hebrew with points",
    becomes: "\u05e9\u05b8\u05c1\u05dc",
  },
  { given: "", what: "nothing", refused: "nothing" },
  { given: " \t ", what: "spaces alone", refused: "nothing" },
  { given: "\u2800", what: "the blank braille cell", refused: "nothing" },
  { given: "\u{1d159}", what: "a musical note without a head", refused: "nothing" },
  { given: "\u{13441}\u{13442}", what: "hieroglyphic blanks", refused: "nothing" },
  { given: "\u0301", what: "a mark alone", refused: "nothing" },
  { given: "\u200b\u200b", what: "zero-width spaces", refused: "invisible" },
  { given: "\u3164", what: "the Hangul filler", refused: "invisible" },
  { given: "Al\u200dice", what: "a joiner between Latin letters", refused: "invisible" },
  {
    given: "\u0645\u200d\u{1f469}",
    what: "a joiner between a letter and an emoji",
    refused: "invisible",
  },
  { given: "\u202eecilA", what: "a right-to-left override", refused: "invisible" },
  { given: "\u2067Alice\u2069", what: "a right-to-left isolate", refused: "invisible" },
  { given: "Alice\u200f", what: "a right-to-left mark", refused: "invisible" },
  { given: "Alice\nBob", what: "a line break", refused: "invisible" },
  { given: "Alice\u2028Bob", what: "a line separator", refused: "invisible" },
  { given: "\u001b[31mAlice", what: "a terminal's escape", refused: "invisible" },
  { given: "Alice\u{e0041}", what: "a tag outside of a flag", refused: "invisible" },
  { given: "Al\ufff9ice", what: "an anchor of an annotation", refused: "invisible" },
  { given: "\ue000", what: "a private character", refused: "invisible" },
  {
    given: "A\u0337\u0321\u0322\u0327\u031b\u031a\u031e",
    what: "seven marks on a letter",
    refused: "marks",
  },
  { given: "x".repeat(65), what: "65 characters where 64 are allowed", refused: "long" },
  {
    given: "\ufdfa".repeat(10),
    what: "64 characters once they are normalised, and more",
    refused: "long",
  },
  { given: "\ud800", what: "half a surrogate pair", refused: "malformed" },
  { given: "a\0b", what: "NUL", refused: "malformed" },
]

/** A vector as a row of the table in docs/names.md, with every character outside ASCII written as its code point. */
export function rowOf({ what, given, becomes, refused }: Vector): string {
  return `| ${what} | ${shown(given)} | ${becomes === undefined ? `refused: ${refused}` : shown(becomes)} |`
}

function shown(text: string): string {
  if (text === "") return ""
  const run = /^(.)\1{9,}$/u.exec(text)
  if (run) return `${shown(run[1]!)} × ${[...text].length}`
  const visible = text.replace(/[^\x21-\x7e]/gu, (character) => {
    const point = character.codePointAt(0) ?? character.charCodeAt(0)
    return point === 0x20 ? "␣" : `<${point.toString(16).toUpperCase().padStart(4, "0")}>`
  })
  return `\`${visible}\``
}
