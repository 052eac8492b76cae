// Every bound of what the services share, with its reason. docs/limits.md has a row for each.

// Reads: turns and answers

/**
 * How long one person's work runs on before the event loop and other persons get their turn, in ms. Short beside the
 * 250 ms that a message may take, long beside what it costs to stop and go on (some microseconds).
 */
export const SLICE_MS = 5

/** Queries of one person under way at once at a node: what a page of the web app asks for while it opens. */
export const QUERIES_AT_ONCE = 8

/** Queries of one person that wait behind these; the next one is RATE_LIMITED. A gateway's socket carries 100. */
export const QUERIES_WAITING = 200

/** Mutations of one person under way at once at a node: one batch of a conversation's log. */
export const MUTATIONS_AT_ONCE = 256

/** Mutations of one person that wait behind these, in order; the next one is RATE_LIMITED. */
export const MUTATIONS_WAITING = 2_000

/** What a refused operation is told to wait, in ms: some operations of the same person end within it. */
export const BUSY_RETRY_MS = 500

/**
 * Bytes of one operation's answer, as JSON. A page of 50 of the longest messages has 1.6 MB; a screen needs 100 KB. An
 * operator may set it by an option of the subgraph.
 */
export const ANSWER_BYTES = 2 * 1024 * 1024
