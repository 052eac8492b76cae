// Documents and doors.

/** How many keys one set of token buckets remembers: some 100 bytes each. The least recently used key is forgotten first, and has a full bucket when it comes back. */
export const MAX_BUCKETS = 50_000
/** What a subgraph remembers of documents and what one of them may come to, in bytes: an application's own come to 1 MB. */
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
