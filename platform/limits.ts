/** The bounds that the services share: each with its number and its reason; docs/limits.md says what holds it. */

// Names and titles (names.ts)

/** Marks that one letter of a name carries. Hebrew and Vietnamese write up to three; towers of them cover other lines. */
export const MAX_MARKS = 6

/** How many keys one set of token buckets remembers: some 100 bytes each. The least recently used key is forgotten first, and has a full bucket when it comes back. */
export const MAX_BUCKETS = 50_000

/**
 * Bytes of one operation's answer, and of one event, as JSON. A page of 50 of the longest messages has 1.6 MB; a screen
 * needs 100 KB. An operator may set it: ANSWER_BYTES.
 */
export const ANSWER_BYTES = 2 * 1024 * 1024
