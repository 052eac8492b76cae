import styles from "./avatar.module.css"
import { Icon } from "./icon.tsx"

const HUES = 8

/** Initials on a colour that belongs to the id and never changes. Decorative: the name is always beside it. */
export function Avatar(props: { id: string; name: string; group?: boolean; small?: boolean }) {
  const { id, name, group, small } = props
  const classes = [styles.avatar, styles[`hue${hueOf(id)}`], small && styles.small]
  return (
    <span className={classes.filter(Boolean).join(" ")} aria-hidden="true">
      {group ? <Icon name="group" size={small ? 18 : 24} /> : initials(name)}
    </span>
  )
}

/** 0 to 7; FNV-1a, so that ids made in the same moment do not look alike. */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % HUES
}

/** One or two letters, in any script; whole graphemes, so that no emoji is cut in half. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter(Boolean)
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1)
  return ends
    .map((word) => firstGrapheme(word ?? ""))
    .join("")
    .toLocaleUpperCase()
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })
const firstGrapheme = (word: string) =>
  graphemes.segment(word)[Symbol.iterator]().next().value?.segment ?? ""
