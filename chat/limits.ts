const KIB = 1024
const MIB = 1024 * KIB
const DAY_MS = 24 * 60 * 60 * 1000

// Writing: what one account may cause.

/** Characters (code points) of a message: some four pages. In UTF-8 that is at most 32,000 bytes. */
export const MAX_TEXT_LENGTH = 8_000
/** Characters of a title: one line on any screen. */
export const MAX_TITLE_LENGTH = 100
/** Characters of an id: longer than any that Parley makes, and short enough for every key that it is part of. */
export const MAX_ID_LENGTH = 64
/** How far ahead of the node's clock a client's id may lie, in ms: clocks are wrong by hours, not by days. */
export const MAX_ID_AHEAD = DAY_MS
/** The largest seq: what GraphQL's Int holds. */
export const MAX_SEQ = 2 ** 31 - 1
/** As many as one fold, one frame of members and one screen carry with ease. */
export const MAX_MEMBERS = 1_024
/** Present memberships of one person: what a list, a resume and a search over all of them carry within a second. */
export const MAX_CONVERSATIONS = 10_000
/** How far back authors are told of a receipt: a reader who returns to thousands of messages tells the recent ones. */
export const MAX_RECEIPT_SPAN = 500
/** People that a refusal names as not to be added: as many as a screen shows. */
export const MAX_REFUSED_NAMED = 100

/**
 * What an operator may set, by the environment variable of that name. A person who types, pastes or flushes the outbox
 * of a long flight meets none of them; a script does within seconds.
 */
export const WRITE_LIMITS = {
  /** Tokens for sending that come back in a minute: five messages a second, for hours. */
  MESSAGES_PER_MINUTE: 300,
  /** Moves of watermarks: twenty a second, for a person whose busy groups deliver all day. */
  MARKS_PER_MINUTE: 1_200,
  /** Changes of members, conversations begun and settings: one a second. */
  CHANGES_PER_MINUTE: 60,
  /** Bytes of text that one person may store in a day (UTC): 64 MiB are sixty novels. */
  TEXT_BYTES_PER_DAY: 64 * MIB,
  /** Bytes of text that one person may store in all: 4 GiB are what 64 full days make. */
  TEXT_BYTES_PER_PERSON: 4 * 1024 * MIB,
  /** Groups that one person may make in a day (UTC). */
  GROUPS_PER_DAY: 100,
  /** People that one person may add to groups, or begin a direct conversation with, in a day (UTC): ten full groups. */
  ADDS_PER_DAY: 10_000,
  /** Of these, people who share no conversation with them: one full group. */
  STRANGERS_PER_DAY: 1_024,
} as const

/** Sends that a full bucket holds: the outbox of a long flight, or fifty pasted messages twenty times over. */
export const SEND_BURST = 1_000
/** Bytes of text that cost as much as one send more: a bucket of 1,000 holds 1 MiB of text, or 1,000 short messages. */
export const BYTES_PER_SEND = KIB
/** Marks that a full bucket holds: one for each conversation that a person may be in, as after a long absence. */
export const MARK_BURST = MAX_CONVERSATIONS
/** Changes that a full bucket holds: an evening of tidying up. */
export const CHANGE_BURST = 300
/** People named by a change that cost as much as one change more: a full group costs 17. */
export const PEOPLE_PER_CHANGE = 64

/** People of whom is remembered, on one node, how many bytes they have stored. */
export const MAX_BYTE_COUNTS = 50_000
/** Bytes of one person that are written down at once; a node that is killed forgets fewer than that. */
export const COUNT_BYTES_AT = 64 * KIB
/** Between two writes of what is below that, in ms. */
export const COUNT_BYTES_EVERY = 60_000
/** How long a node that stops waits for that, in ms. */
export const COUNT_BYTES_WITHIN = 2_000
/** People with bytes that are not written down yet: beyond it they are written at once. */
export const MAX_UNCOUNTED = 10_000
/** How old a count of stored bytes may be before the store is asked anew, in ms: another node may have added to it. */
export const COUNT_FRESH_FOR = 10 * 60_000
/** How long after the store could not say it, it is asked again; in ms. */
export const COUNT_AGAIN_AFTER = 5_000
/** Marks and changes of one person that a node works on at a time: a store has 50 connections, and 20,000 steps for all. */
export const MAX_AT_ONCE = 32
/** People whose bytes are written down at a time. */
export const COUNTS_AT_ONCE = 500
/** For how many days is kept how much a person did in each. */
export const KEEP_USAGE_DAYS = 7

// Writing: what waits for its place in a log.

/** Entries of one write; large enough for a busy group, small enough to be quick. */
export const MAX_BATCH = 256
/** Bytes of text of one write, beyond which it takes no further message. */
export const MAX_BATCH_BYTES = MIB
/** Writes of one person that wait for one conversation at one node: what a full bucket lets in at once. */
export const MAX_WAITING_OF_ONE = 1_000
/** Bytes of text of these. */
export const MAX_WAITING_BYTES_OF_ONE = 4 * MIB
/** Writes that wait for one conversation at one node. Beyond it the newest of the sender with the most waiting is refused. */
export const MAX_WAITING = 10_000
/** Losing a seq to other nodes this often in a row means that something else is wrong. */
export const MAX_LOST = 100

// Writing: what the store keeps at hand.

/** Writes that wait for one commit of SQLite. More than this means that the disk has stopped, not that it is busy. */
export const MAX_UNCOMMITTED = 50_000
/** Conversations of which a node remembers how far their members in MongoDB are up to date. */
export const MAX_APPLIED_KNOWN = 50_000
/** Changes of members that others began and did not finish, which a node looks after at a time. */
export const MAX_INTENTS = 1_000
/** Accounts that a node remembers to exist. */
export const MAX_KNOWN_ACCOUNTS = 100_000
/** Memberships that SQLite counts without a pause: some 5 ms. */
export const COUNTED_AT_A_TIME = 20_000
/** Memberships that MongoDB sends at a time where only their keys are read: some 500 KB. */
export const KEYS_AT_A_TIME = 5_000
/** Conversations of a person in which one query of MongoDB looks for others: some 12 KB of ids. */
export const COMMON_PER_QUERY = 200
// --- bus and cluster

/**
 * A bus from which nothing was heard for this long counts as away, in ms. A broker answers each fetch within some 50 ms;
 * a busy node or a broker that collects garbage is seldom silent for longer than half of it.
 */
export const BUS_SILENT_AFTER = 1_000

/**
 * How long a subscription waits for the bus to hold its partition, in ms; after that it goes on, and the node reads what
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

/** Other nodes that are read at a time, with a page of each in memory: with the longest texts 24 MiB, however many there are. */
export const OTHERS_AT_ONCE = 4

/**
 * Pages that one round reads of each other node, before the node does something else: 10,000 entries a second of each.
 * What is beyond is read in the next round.
 */
export const OTHERS_PAGES_PER_ROUND = 25

/**
 * Entries of another node that a node goes back at most where it begins to read, so that a long backlog of what was
 * never announced does not keep it from what is new. Of what lies further back subscriptions hear when the bus is back.
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

/** Failed writes that may be in the log all the same; more are looked up as one range, whole. */
export const OUTBOX_MAX_IN_DOUBT = 10_000
// Reads: pages, events, replays and what a node keeps at hand

/** Bytes of texts after which a page of `messages` or `log` ends early; and says so. A page of 50 short ones has 10 KB. */
export const PAGE_BYTES = 512 * 1024

/** Items of one page of `conversations`, `members` or `messages`: more than a screen shows. */
export const LIST_PAGE = 200

/** Entries of one page of `log`: as many as a replay has of one conversation. */
export const LOG_PAGE = 1_000

/** Variants of one subscription document, by its variables, whose subscriptions share renderings. They live as long as these. */
export const VARIANTS = 100

/** Characters of the variables of such a variant. */
export const VARIANT_LENGTH = 1_000

/** Characters of the variables, as JSON, on which a subscription's events depend: more than a gateway lets through. */
export const EVENT_VARIABLES = 8 * KIB

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

/**
 * Events that wait in a conversation while its log is read; beyond it, they are read from the log again. Changes of
 * members are kept all the same: how many there are, their authors' buckets bound.
 */
export const FEED_EVENTS = 1_000

/** The bytes of these. */
export const FEED_BYTES = 4 * 1024 * 1024

/** How long a conversation waits for the store before its subscriptions end, and resume; in ms. See LANE_WAIT_MS. */
export const FEED_WAIT_MS = 20_000

/** A subscription that falls this far behind during its replay resumes from its position instead. */
export const BUFFER_EVENTS = 5_000

/** The bytes of these. */
export const BUFFER_BYTES = 4 * 1024 * 1024

/** Subscriptions to events of one person at one node: as many as one socket of a gateway carries. */
export const SUBSCRIPTIONS_PER_PERSON = 100

/** How long one who has too many is told to wait, in ms. */
export const SUBSCRIPTIONS_RETRY_MS = 10_000

/**
 * Conversations of all subscriptions of one person at one node together, those that the person has left among them; some
 * 400 bytes each. 20 devices of a person in 10,000 conversations, 100 of one in 2,000.
 */
export const PLACES_PER_PERSON = 200_000

/** Conversations that subscriptions which have ended leave between two turns of the event loop: about 1 ms. */
export const FEEDS_PER_PASS = 1_000

/** More missed entries than this in one conversation, and a reload is cheaper than a replay. */
export const MISSED_IN_ONE = 1_000

/** The same over all conversations. */
export const MISSED_IN_ALL = 5_000

/** Entries, and bytes of texts, that a replay reads at once. */
export const REPLAY_PAGE = 200
export const REPLAY_PAGE_BYTES = 128 * 1024

/** A replay goes on while fewer bytes than this wait on the link: some ms of a gateway's reading. */
export const REPLAY_LINK_BYTES = 256 * 1024

/** How long a replay waits for a gateway that does not read before its subscription ends, in ms. */
export const REPLAY_STALL_MS = 10_000

/** Replays of one person under way at once at a node. A person returns with one or two devices at a time. */
export const REPLAYS_PER_PERSON = 2

/** Replays under way at once at a node: enough to keep a store busy that is a round trip away. */
export const REPLAYS_AT_ONCE = 64

/** Positions that one subscription names: as many conversations as one person may be in. */
export const POSITIONS = 10_000

/**
 * Positions of all subscriptions of one person at one node whose replay is not over, together; some 150 bytes each. Five
 * devices that return at once and name 10,000 conversations each.
 */
export const POSITIONS_PER_PERSON = 50_000

/** Memberships that one look-up in the store reads, between two turns of the event loop: about 1 ms of SQLite. */
export const MEMBERSHIPS_PER_READ = 1_000

/** How often a membership is read again that is behind its feed, and the longest pause before it, in ms. */
export const MEMBERSHIP_READINGS = 20
export const MEMBERSHIP_PAUSE_MS = 50

/** Bytes of states that a node keeps: 20,000 conversations of two, or 150 of 1,024 members. */
export const STATE_CACHE_BYTES = 64 * 1024 * 1024

/** Entries that a state is behind before it is loaded anew instead of being caught up. */
export const CATCH_UP_PAGE = 500
