/** Every bound of the web app, with its number and its reason; docs/limits.md has a row for each. */

// Asking the server

/** The longest pause between two attempts, in ms: a server that refuses for hours is asked four times a minute by a tab. */
export const LONGEST_BACKOFF_MS = 15_000
/** After so long a request counts as failed, in ms: longer than the gateway's own limit of 5 s for a subgraph. */
export const REQUEST_TIMEOUT_MS = 8_000
/** A socket that has lived for so long, in ms, has worked: after one that ended sooner the pauses go on growing. */
export const SOCKET_STEADY_MS = 10_000
/** A socket that has not opened after so long, in ms, is given up: browsers wait for minutes where a network swallows all. */
export const SOCKET_OPEN_WITHIN_MS = 10_000

// What is loaded

/** Conversations in one page of the list: more than a tall screen shows. */
export const LIST_PAGE = 30
/** Pages of the list that are loaded without scrolling: with 300 lines the list scrolls smoothly on a phone. */
export const LIST_PAGES_AT_ONCE = 10
/** Conversations whose positions are named on resuming, besides those with a hole: 50 are some 3.5 KiB of a frame. */
export const NAMED_CONVERSATIONS = 50
/** Members that come with each conversation of the list: enough for the ticks of small groups. */
export const LIST_MEMBERS = 10
/** Members in one page of an open conversation. */
export const OPEN_MEMBERS = 100
/** Entries of the log that are asked for at once: the server gives 1,000 at most, a screen shows 20. */
export const LONGEST_PAGE = 200
/** Entries that are drawn at first, and that each growth adds: beyond some thousand bubbles typing becomes slow. */
export const DRAWN_ENTRIES = 220

/** Conversations that are fetched at the same time because of an event: a stranger may add one to hundreds of groups. */
export const NEEDS_AT_ONCE = 4

// What the device keeps

/** An answer of IndexedDB that takes longer, in ms, counts as a failure; it answers in some ms, or it hangs. */
export const DEVICE_WITHIN_MS = 2_000
/** After a failure IndexedDB is left alone for so long, in ms, so that a hang costs its time-out once and not per message. */
export const DEVICE_REST_MS = 10_000
/** Messages written ahead in localStorage: each stays there for some ms, or as long as IndexedDB does not work. */
export const WRITE_AHEAD_MESSAGES = 64
/** Characters written ahead in localStorage: a fifth of what a browser gives an origin. */
export const WRITE_AHEAD_CHARACTERS = 1_000_000
/** Conversations in which something that was begun is kept in localStorage: more than a person leaves unfinished. */
export const DRAFTS = 50
/** Characters of all these drafts together: 25 of the longest texts, in a twentieth of what a browser gives an origin. */
export const DRAFT_CHARACTERS = 250_000

// What the browser tells by itself

/** Watermarks that are told at the same time: many conversations may have something new at once. */
export const MARKS_AT_ONCE = 4
