import type { Entry } from "./entry.ts"

/** About what an entry has beside its texts, wherever it is kept or sent. */
const ENTRY = 300
const USER = 40

/** The bytes of what people wrote in an entry, or of whom it names; 0 of a kind that this node does not know. */
export function textBytes(entry: Entry): number {
  switch (entry.kind) {
    case "message":
      return Buffer.byteLength(entry.text)
    case "members": {
      const { joined, left, promoted, demoted } = entry
      return (joined.length + left.length + promoted.length + demoted.length) * USER
    }
    default:
      return 0
  }
}

/** About the memory that an entry takes while it waits. */
export const entryBytes = (entry: Entry): number => ENTRY + textBytes(entry)

/** The most bytes that a unit of a string (UTF-16) has in UTF-8. */
const BYTES_PER_UNIT = 3

/** What `textBytes` of these entries comes to at most, told without looking at each character. */
export function mostBytes(entries: readonly Entry[]): number {
  let units = 0
  for (const entry of entries) {
    units += entry.kind === "message" ? entry.text.length : textBytes(entry)
  }
  return units * BYTES_PER_UNIT
}

/** As many of the entries as have that many bytes of texts together, but one at least; from the end where told so. */
export function withinBytes<E extends Entry>(entries: E[], bytes: number, fromEnd = false): E[] {
  // Nearly always all of them fit by far.
  if (mostBytes(entries) <= bytes) return entries
  let left = bytes
  for (let i = 0; i < entries.length; i++) {
    left -= textBytes(entries[fromEnd ? entries.length - 1 - i : i]!)
    if (left < 0 && i > 0) return fromEnd ? entries.slice(entries.length - i) : entries.slice(0, i)
  }
  return entries
}
