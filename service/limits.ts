// Documents and doors.

/** How many keys one set of token buckets remembers: some 100 bytes each. The least recently used key is forgotten first, and has a full bucket when it comes back. */
export const MAX_BUCKETS = 50_000
