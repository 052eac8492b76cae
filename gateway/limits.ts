// Every bound of the gateway, with its reason. docs/limits.md has a row for each.

// Links: what goes to subgraphs, and what comes back.

/** Requests in flight on one link; more than a subgraph answers within the time-out. */
export const MAX_IN_FLIGHT = 20_000

/** Bytes that wait for a node to read them: one that reads so slowly is as good as down. */
export const MAX_LINK_QUEUED_BYTES = 32 * 1024 * 1024

/**
 * How long an operation is remembered that was in flight when a link broke, in ms. In flight at another break within
 * that time, it is not asked again: it may be what breaks them.
 */
export const SUSPECT_MS = 60_000

/** Operations that are remembered as suspect, and documents as harmless: by their hashes, 8 bytes each. */
export const MAX_REMEMBERED_OPERATIONS = 10_000

/** Representations that one look-up of entities may carry; what is more goes with the next. */
export const MAX_REPRESENTATIONS = 500

/** Bytes of the representations of one look-up: a quarter of the frame, the rest is for the query. */
export const MAX_REPRESENTATION_BYTES = 256 * 1024

/** Representations that one operation may look up in all: twice the items that it may ask for. */
export const MAX_OPERATION_REPRESENTATIONS = 20_000

/**
 * What the subgraphs may answer to one operation in all, in times of what its own answer may have. What they answer has
 * keys and type names besides.
 */
export const FETCHED_PER_ANSWER = 2

/** Representations that one operation may have in a look-up before it is the next one's turn. */
export const REPRESENTATIONS_AT_A_TURN = 100

/** Look-ups of one kind under way at once. The second goes out when there is enough for a full one. */
export const MAX_LOOKUPS_UNDER_WAY = 4

/** Operations and events that wait for a look-up; more means that the service has stopped, not that it is busy. */
export const MAX_WAITING_LOOKUPS = 10_000

/** Bytes of the representations that wait. */
export const MAX_WAITING_LOOKUP_BYTES = 16 * 1024 * 1024

/** How long an operation or an event waits for its look-up, in ms: as long as for any answer of a subgraph. */
export const LOOKUP_WITHIN_MS = 5_000

/** Subscriptions that wait for a node, for 10 s at most; the next one's socket is closed with 1013. */
export const MAX_WAITING_SUBSCRIPTIONS = 50_000

/** Bytes of what these ask for: their positions, of which a person with 50 conversations has some 3 KB. */
export const MAX_WAITING_SUBSCRIPTION_BYTES = 128 * 1024 * 1024

// Subscriptions and clients' sockets.

/** Bytes that wait in a client's socket; then what follows is held in the gateway. */
export const CLIENT_QUEUED_BYTES = 1024 * 1024

/** Bytes of events that are held beyond these; then the socket is cut off, and resumes by position. */
export const CLIENT_HELD_EVENT_BYTES = 256 * 1024

/** Bytes of answers that are held for one socket; the next answer is RATE_LIMITED instead. Two of the longest. */
export const CLIENT_HELD_ANSWER_BYTES = 4 * 1024 * 1024

/** Events that wait behind one that takes longer to work out. More than a replay has. */
export const MAX_WAITING_EVENTS = 6_000

/** Bytes of these, for one subscription. */
export const MAX_WAITING_EVENT_BYTES = 4 * 1024 * 1024

/** Characters of the variables, as JSON, on which an event's looks depend: a few switches. They live as long as the subscription. */
export const MAX_EVENT_VARIABLES = 4_096

/** Variants of one subscription document that are shared. */
export const MAX_VARIANTS = 100

/** Characters of the variables of these variants together. */
export const MAX_VARIANT_CHARACTERS = 16 * 1024

/** Subscriptions of one person at one gateway: 4 for each of 50 tabs and devices. */
export const MAX_SUBSCRIPTIONS_PER_PERSON = 200

/** Subscriptions of one gateway, at some 2 KB each. */
export const MAX_SUBSCRIPTIONS = 100_000

// Auth: sockets and login sessions at the gateway.

/** Sockets of one login session at one gateway: tabs of one browser. Each costs some 10 KB. */
export const MAX_SOCKETS_PER_SESSION = 50
/** Sockets of one person at one gateway, over all login sessions: four devices with 50 tabs each. */
export const MAX_SOCKETS_PER_PERSON = 200
/**
 * Sockets of one address group that have sent no valid `connection_init` yet. They live for 3 s, and a company behind
 * one address comes back at once after a restart.
 */
export const MAX_PENDING_SOCKETS_PER_ADDRESS = 8_192
/** The same for all addresses together. */
export const MAX_PENDING_SOCKETS = 32_768
/**
 * A socket ends so long after the access token that it goes by has expired, in ms: time for its client to refresh.
 * With EXPIRE_EVERY_MS it stays well below a minute.
 */
export const EXPIRED_SOCKET_GRACE_MS = 30_000
/** Between two looks for sockets whose token has expired, in ms. */
export const EXPIRE_EVERY_MS = 5_000
/** A device cookie that is longer, in characters, is none of auth's and is not passed on. */
export const MAX_DEVICE_COOKIE_LENGTH = 1_024
/** The first answer of the feed of ended sessions is waited for this long, in ms, before a token is refused as UNAVAILABLE. */
export const FIRST_FEED_WITHIN_MS = 3_000
/**
 * A gateway that was without the feed of ended sessions for longer than this, in ms, asks for each session that it
 * has: the feed reaches back 20 minutes.
 */
export const FEED_REACH_MS = 15 * 60_000
/** Sessions that auth is asked for at once. */
export const SESSIONS_PER_QUESTION = 1_000
