/** The bounds of the link between gateway and subgraphs, and of a subgraph's work for it; docs/limits.md names the test of each. */

// Links between gateway and subgraphs

/**
 * Bytes of one frame, or one request body, that a subgraph takes: four times what a client may send to the gateway, for
 * the planner's text is longer than the client's. The gateway measures before it sends; a subgraph closes the connection
 * of a peer that does not.
 */
export const LINK_FRAME_BYTES = 1024 * 1024

/** Bytes that wait for a gateway to read them: beyond these the subgraph begins no further operation of that connection. */
export const ANSWERS_PAUSE_BYTES = 8 * 1024 * 1024

/** Bytes that wait for a gateway to read them: an answer that would make them more fails with UNAVAILABLE instead. */
export const ANSWERS_WAITING_BYTES = 32 * 1024 * 1024

/** Bytes of the operations of one connection that wait for the gateway to read: the next one fails with UNAVAILABLE. */
export const PAUSED_OPERATION_BYTES = 16 * 1024 * 1024

/** Bytes of one waiting operation beside its frame. */
export const PAUSED_OPERATION = 1024

/**
 * Bytes of events that wait for a gateway to read them; then its connection for events is cut, and its clients resume by
 * position. 2,000 events of the longest message.
 */
export const EVENTS_WAITING_BYTES = 64 * 1024 * 1024

/** How long a subgraph works at one operation, in ms: twice as long as a gateway waits for the answer. */
export const OPERATION_MS = 10_000

// Reads: turns and answers

/**
 * How long one person's work runs on before the event loop and other persons get their turn, in ms. Short beside the
 * 250 ms that a message may take, long beside what it costs to stop and go on (some microseconds).
 */
export const SLICE_MS = 5

/**
 * Idle persons whose used time a node remembers while others wait. Beyond it the node forgets the least recently seen
 * person, who is then served as if new.
 */
export const MAX_AHEAD = 10_000

/** Queries of one person under way at once at a node: what a page of the web app asks for while it opens. */
export const QUERIES_AT_ONCE = 8

/**
 * Queries under way at once at a node, of all persons together: a dear one holds 6 MB. Beyond it a person's second query
 * waits for the first; a person's first one never waits.
 */
export const QUERIES_AT_ONCE_IN_ALL = 16

/**
 * Persons' first queries under way at once at a node, with those above: beyond it they wait in the order in which they
 * came. A dear query holds some 4 MB while its answer is made, so that many accounts with one each fill no memory.
 */
export const FIRST_QUERIES_AT_ONCE = 32

/** Queries of one person that wait behind these; the next one is RATE_LIMITED. A gateway's socket carries 100. */
export const QUERIES_WAITING = 200

/**
 * Pages of messages or entries that one operation reads at once: of 512 KiB each, so that what it has read is
 * charged before it reads much more.
 */
export const PAGES_AT_ONCE = 4

/** Mutations of one person under way at once at a node: one batch of a conversation's log. */
export const MUTATIONS_AT_ONCE = 256

/** Mutations of one person that wait behind these, in order; the next one is RATE_LIMITED. */
export const MUTATIONS_WAITING = 2_000

/** Bytes of one person's queries, and of their mutations, that wait behind these; the next one is RATE_LIMITED. */
export const WAITING_BYTES = 4 * 1024 * 1024

/** `retryAfterMs` of a refused operation: some operations of the same person end within it. */
export const BUSY_RETRY_MS = 500

// Documents

/** Bytes of the cached documents of a subgraph, in all and each: an application's own need 1 MB. */
export const SUBGRAPH_DOCUMENTS = {
  maxBytes: 24 * 1024 * 1024,
  maxEntryBytes: 3 * 1024 * 1024,
} as const

/** Bytes that one character of a document is taken to need once it is parsed without its places: measured 60 to 130. */
export const DOCUMENT_BYTES_A_CHARACTER = 130

/** Characters of a document that a subgraph reads: more than the gateway ever sends. */
export const MAX_SUBGRAPH_DOCUMENT = 256 * 1024

/** Tokens of a document that a subgraph reads. The planner opens fragments, so it is more than the gateway lets in. */
export const MAX_SUBGRAPH_TOKENS = 10_000
