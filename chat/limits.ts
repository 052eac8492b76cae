// Reads: pages, events, replays and what a node keeps at hand

/** Bytes of texts after which a page of `messages` or `log` ends early; and says so. A page of 50 short ones has 10 KB. */
export const PAGE_BYTES = 512 * 1024

/** Items of one page of `conversations`, `members` or `messages`: more than a screen shows. */
export const LIST_PAGE = 200

/** Entries of one page of `log`: as many as a replay has of one conversation. */
export const LOG_PAGE = 1_000

/** Variants of one subscription document, by its variables, whose sessions share renderings. */
export const VARIANTS = 100

/** Characters of the variables of such a variant. */
export const VARIANT_LENGTH = 1_000

/** Rows of a log that one look-up in the store reads: with the longest texts they are 2 MiB, which a page then cuts. */
export const ROWS_PER_READ = 64

/** Items of lists in one rendered event. A group's founding names 1,024 members; no event needs many more. */
export const EVENT_ITEMS = 2_000

/** Bytes of one rendered event, as JSON: the longest text, escaped, has 48 KB, and 1,024 members have 64 KB. */
export const EVENT_BYTES = 256 * 1024

/** Items of `Ready`, which names what has to be loaded anew: at most every conversation of the viewer. */
export const READY_ITEMS = 12_000

/** Bytes of `Ready`, as JSON. */
export const READY_BYTES = 1024 * 1024

/** Events of one conversation that wait for one document to be rendered; one that falls further behind ends. */
export const LANE_EVENTS = 1_000

/** The bytes of these. */
export const LANE_BYTES = 2 * 1024 * 1024

/**
 * How long an event may wait for one document to be rendered, in ms. Well within the minute that `since` allows for:
 * events of other conversations overtake those that wait.
 */
export const LANE_WAIT_MS = 10_000

/** Events that wait in a conversation while its log is read; beyond it, they are read from the log again. */
export const ROOM_EVENTS = 1_000

/** The bytes of these. */
export const ROOM_BYTES = 4 * 1024 * 1024

/** How long a conversation waits for the store before its sessions end, and resume; in ms. See LANE_WAIT_MS. */
export const ROOM_WAIT_MS = 20_000

/** A session that falls this far behind during its replay resumes from its position instead. */
export const BUFFER_EVENTS = 5_000

/** The bytes of these. */
export const BUFFER_BYTES = 4 * 1024 * 1024

/** Subscriptions to events of one person at one node: as many as one socket of a gateway carries. */
export const SUBSCRIPTIONS_PER_PERSON = 100

/** How long one who has too many is told to wait, in ms. */
export const SUBSCRIPTIONS_RETRY_MS = 10_000

/**
 * Conversations of all subscriptions of one person at one node together; some 400 bytes each. 20 devices of a person in
 * 10,000 conversations, 100 of one in 2,000.
 */
export const PLACES_PER_PERSON = 200_000

/** Conversations that sessions which have ended leave between two turns of the event loop: about 1 ms. */
export const ROOMS_PER_PASS = 1_000

/** More missed entries than this in one conversation, and a reload is cheaper than a replay. */
export const MISSED_IN_ONE = 1_000

/** The same over all conversations. */
export const MISSED_IN_ALL = 5_000

/** Entries, and bytes of texts, that a replay reads at once. */
export const REPLAY_PAGE = 200
export const REPLAY_PAGE_BYTES = 128 * 1024

/** A replay goes on while fewer bytes than this wait on the link: some ms of a gateway's reading. */
export const REPLAY_LINK_BYTES = 256 * 1024

/** How long a replay waits for a gateway that does not read before its session ends, in ms. */
export const REPLAY_STALL_MS = 10_000

/** Replays of one person under way at once at a node. A person returns with one or two devices at a time. */
export const REPLAYS_PER_PERSON = 2

/** Replays under way at once at a node: enough to keep a store busy that is a round trip away. */
export const REPLAYS_AT_ONCE = 64

/** Positions that one subscription names: as many conversations as one person may be in. */
export const POSITIONS = 10_000

/** Memberships that one look-up in the store reads, between two turns of the event loop: about 1 ms of SQLite. */
export const MEMBERSHIPS_PER_READ = 1_000

/** How often a membership is read again that is behind its room, and the longest pause before it, in ms. */
export const MEMBERSHIP_READINGS = 20
export const MEMBERSHIP_PAUSE_MS = 50

/** Bytes of pictures that a node keeps: 20,000 conversations of two, or 150 of 1,024 members. */
export const PICTURES_BYTES = 64 * 1024 * 1024

/** Entries that a picture is behind before it is loaded anew instead of being caught up. */
export const CATCH_UP_PAGE = 500
