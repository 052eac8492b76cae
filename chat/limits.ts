// --- bus and cluster

/**
 * A bus from which nothing was heard for this long counts as away, in ms. A broker answers each fetch within some 50 ms;
 * a busy node or a broker that collects garbage is seldom silent for longer than half of it.
 */
export const BUS_SILENT_AFTER = 1_000

/**
 * How long a session waits for the bus to hold its partition, in ms; after that it goes on, and the node reads what
 * concerns it from the store. A bus that works holds a partition in some 10 ms.
 */
export const HOLD_PATIENCE = 500

/** How often a node looks whether the bus is away, in ms. */
export const LOOK_AT_BUS_EVERY = 250

/**
 * How often a node reads what the other nodes stored, while the bus is away, in ms. An entry of another node is 250 ms
 * late on average and 500 ms at most because of it; each round costs the store one query for each other node and one more.
 */
export const READ_OTHERS_EVERY = 500

/** Entries of another node that one query reads: at 32 KiB of text each, some 6 MiB in memory. */
export const OTHERS_PAGE = 200

/**
 * Pages that one round reads of each other node, before the node does something else: 10,000 entries a second of each.
 * What is beyond is read in the next round.
 */
export const OTHERS_PAGES_PER_ROUND = 25

/**
 * Entries of another node that a node goes back at most where it begins to read, so that a long backlog of what was
 * never announced does not keep it from what is new. Of what lies further back sessions hear when the bus is back.
 */
export const OTHERS_MAX_BEHIND = 10_000

/**
 * A node begins to read from where another node's announcements stood this many ms ago: longer than it takes to notice
 * that the bus is away, with a busy moment on top.
 */
export const OTHERS_LOOK_BACK = 5_000

/** Numbers of another node whose entries may still arrive in the log; beyond it the oldest are given up. */
export const OTHERS_MAX_HOLES = 1_000

/** For how long such a number is looked for, in ms: longer than the time-outs within which a write may arrive late. */
export const OTHERS_HOLE_WITHIN = 30_000

/** For how long a node that has left the registry is still read, in ms: what it stored last may not have been. */
export const OTHERS_KEEP_GONE = 30_000

/** Events that wait to be published; beyond it, entries wait in the log, and receipts are dropped. */
export const BUS_MAX_EVENTS = 10_000

/** What a record that waits counts for beside its value, in bytes: its headers, its place in the queue, the event that it is of. */
export const BUS_RECORD_OVERHEAD = 300

/** The bytes of these: so much memory, and what one request carries once more while it is written. */
export const BUS_MAX_BYTES = 32 * 1024 * 1024

/** The part of both that receipts may fill, so that they never crowd out entries. */
export const BUS_SIGNALS_SHARE = 0.5

/**
 * The part of both that one conversation may fill: beyond it, its entries wait in the log, so that a group that is busy
 * or whose members write long texts does not send the entries of all others there.
 */
export const BUS_CONVERSATION_SHARE = 0.25

/** Kafka counts the size of a message over all records that go to one partition at once; in bytes. */
export const BUS_MAX_BYTES_PER_PARTITION = 512 * 1024

/** What one request to the bus carries, in bytes: it goes out within some 100 ms, so that nothing waits long behind it. */
export const BUS_MAX_BYTES_AT_ONCE = 4 * 1024 * 1024

/** And in records: kafkajs needs the square of their number for those of one partition. */
export const BUS_MAX_RECORDS_AT_ONCE = 1_000

/** What one fetch brings at most, in bytes: handled in one turn, within some 100 ms. */
export const BUS_FETCH_BYTES = 10 * 1024 * 1024

/** What it brings of one partition, in bytes, so that a busy channel leaves room for the others. */
export const BUS_FETCH_BYTES_PER_PARTITION = 512 * 1024

/** Failed writes that may be in the log all the same; more are looked up as one stretch, whole. */
export const OUTBOX_MAX_DOUBTS = 10_000
