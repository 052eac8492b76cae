import type { ReactNode } from "react"

/** Only these schemes become links; everything else, `javascript:` included, stays text. */
const LINK = /\bhttps?:\/\/[^\s<>"'`]+/giu

/** The text with its web addresses as links. Nothing in it is ever taken for markup. */
export function linkify(text: string): ReactNode[] {
  const parts: ReactNode[] = []
  let from = 0
  for (const match of text.matchAll(LINK)) {
    const address = withoutTail(match[0])
    if (!URL.canParse(address)) continue
    parts.push(text.slice(from, match.index))
    parts.push(
      <a key={match.index} href={address} target="_blank" rel="noopener noreferrer nofollow">
        {address}
      </a>,
    )
    from = match.index + address.length
  }
  parts.push(text.slice(from))
  return parts
}

/** Punctuation at the end belongs to the sentence; so does a bracket that was opened before the address. */
function withoutTail(address: string): string {
  let end = address
  for (;;) {
    const last = end.at(-1) ?? ""
    const unopened = last === ")" && count(end, ")") > count(end, "(")
    if (!unopened && !/[.,:;!?\]}*_~»”’]/u.test(last)) return end
    end = end.slice(0, -1)
  }
}

const count = (text: string, letter: string) => text.split(letter).length - 1

/** One to three emoji and nothing else: they are drawn large. */
export const isEmojiOnly = (text: string): boolean =>
  /^(?:\p{RGI_Emoji}\s?){1,3}$/v.test(text.trim())
