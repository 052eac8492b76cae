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

/**
 * Bytes of the documents, with their plans, of one person's subscriptions: each lives as long as one of these, whether it
 * is remembered or not. 20 of the app's; one may be longer.
 */
export const MAX_SUBSCRIBED_BYTES = 4 * 1024 * 1024

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
/** Characters of a browser's name for itself that are passed on, and kept with its sockets. Browsers' own have up to 300. */
export const MAX_USER_AGENT_LENGTH = 512
/** The first answer of the feed of ended sessions is waited for this long, in ms, before a token is refused as UNAVAILABLE. */
export const FIRST_FEED_WITHIN_MS = 3_000
/**
 * A gateway that was without the feed of ended sessions for longer than this, in ms, asks for each session that it
 * has: the feed reaches back 20 minutes.
 */
export const FEED_REACH_MS = 15 * 60_000
/** Sessions that auth is asked for at once. */
export const SESSIONS_PER_QUESTION = 1_000

// Documents: what a client may ask for.

/** Characters of a document. People's longest has some 2,000; a message written into one has 8,000. Longer ones are not even read: 400 KB cost 2 ms. */
export const MAX_DOCUMENT_CHARACTERS = 64 * 1024

/** What one document may have. Far above what people's screens need; far below what hurts. */
export const DOCUMENT_LIMITS = {
  /** Counted by the parser, which stops there; it does not count comments. */
  tokens: 4_000,
  /** Levels of fields, fragments opened. */
  depth: 20,
  /** Levels of braces, those of inline fragments and opened fragments among them. */
  nesting: 50,
  /** Levels of lists and objects inside one argument. */
  valueDepth: 10,
  /** Fields, fragments opened wherever they are spread. The app's longest document has 50. */
  fields: 500,
  /** Fields of one operation's root, fragments opened. */
  rootFields: 20,
  /** Other names for fields, fragments opened. */
  aliases: 100,
  /** The same in an operation that asks about the schema itself: each other name is a walk through all of it. */
  introspectionAliases: 5,
  /** Directives on selections and operations, fragments opened. */
  directives: 50,
  /** Operations to choose from. */
  operations: 20,
  /** Fragment definitions. Validation compares each with each that is spread beside it. */
  fragments: 30,
  /** Spreads of fragments, each counted where it is written. */
  spreads: 60,
  /** Pairs of fields that have the same name in an answer. Validation compares each with each: 3,000 take some 3 ms. */
  pairs: 3_000,
  /** Inline fragments, fragments opened. */
  inlineFragments: 100,
  /** Variables of one operation. */
  variables: 50,
} as const

/** Errors in a document that its client is told of. Each costs as much as the document is long. */
export const MAX_DOCUMENT_ERRORS = 10
/** Documents of at most so many characters and lines get errors with lines and columns: each of those is counted from the start. */
export const LOCATED_DOCUMENTS = { characters: 10_000, lines: 200 } as const

/** Items that one query or mutation may ask for, lists inside lists multiplied. The app's list of conversations asks for 330, the longest page of a log with who joined for 2,500. */
export const MAX_ITEMS = 10_000
/** Items that one event of a subscription may come to. The app's own come to 110 at most. */
export const MAX_EVENT_ITEMS = 500

// Documents: what is remembered of them.

/** Characters of a document that is remembered. Longer ones are worked out each time, at their sender's expense. */
export const MAX_REMEMBERED_CHARACTERS = 10_000
/** Bytes of documents that one caller alone has asked for, with their plans: some 100 of the app's. */
export const PROBATION_BYTES = 8 * 1024 * 1024
/** Bytes of documents that several callers have asked for, with their plans: some 400 of the app's. A flood of new ones does not get here. */
export const REMEMBERED_BYTES = 32 * 1024 * 1024
/** What one remembered document is taken to need, in bytes: measured 60 to 290 KiB for 400 to 3,000 characters. */
export const REMEMBERED_DOCUMENT = { bytes: 60 * 1024, bytesACharacter: 150 } as const
/** Bytes of the planner's texts of which it is remembered whether they depend on who asks. */
export const VIEWER_CHECK_BYTES = 4 * 1024 * 1024
/** Bytes of answers about the schema itself that are remembered. One answer to a tool's usual question has 60 KB. */
export const INTROSPECTION_BYTES = 1024 * 1024
/** Characters of one planned question to a subgraph. A frame to a subgraph has 1 MiB, and variables need their part. */
export const MAX_PLANNED_CHARACTERS = 128 * 1024
/** Characters of all planned questions of one operation. */
export const MAX_PLAN_CHARACTERS = 256 * 1024

// Documents: the time that is spent on new ones.

/** How long one caller's new documents may hold the thread, in ms: all at once, and what comes back in a second. The app's own take 60 ms in all. */
export const NEW_DOCUMENTS_PER_PERSON = { burst: 5_000, perSecond: 100 } as const
/** The same for an address without a login. */
export const NEW_DOCUMENTS_PER_ADDRESS = { burst: 2_000, perSecond: 50 } as const
/** New documents of one caller that wait for their turn. */
export const MAX_WAITING_PER_CALLER = 40
/** New documents of all callers that wait for their turn: 64 KiB each at most, so 32 MiB. */
export const MAX_WAITING_DOCUMENTS = 500

// Fair use of the door.

/** Operations of one person: all at once, and what comes back in a second. One that asks for many items counts one more for each ITEMS_A_UNIT. */
export const OPERATIONS_PER_PERSON = { burst: 2_000, perSecond: 300 } as const
/** Operations from one address without a login: a school's or an office's people share one. */
export const OPERATIONS_PER_ADDRESS = { burst: 1_000, perSecond: 100 } as const
/**
 * Frames of a socket, pings and completions among them, for each operation that its person or address may send: a client
 * sends two or three.
 */
export const FRAMES_AN_OPERATION = 10
/**
 * Characters of a frame, or of a request's body, that count as one operation: to parse a body takes up to 0.4 ms for so
 * many. A message is 24 KiB at most.
 */
export const CHARACTERS_AN_OPERATION = 8 * 1024
/** Items that count as one operation more. */
export const ITEMS_A_UNIT = 100
/** How long one operation may take in all, in ms, the look-ups between its parts included. */
export const MAX_OPERATION_MS = 10_000

// HTTP.

/** Bytes of one request to /graphql. A message has 8,000 characters; the positions of 4,000 conversations come over a socket. */
export const MAX_BODY_BYTES = 256 * 1024
/** Bytes of a body that is read without being counted: what people's apps send has less, but for a long message. */
export const SMALL_BODY_BYTES = 16 * 1024
/** Longer bodies that are being read for one address at once: a client that sends slowly holds 256 KiB for each. */
export const MAX_BODIES_PER_ADDRESS = 32
/** Longer bodies that are being read at once: 64 MiB in all. */
export const MAX_BODIES = 256
/** Bytes of one request that the server takes at all; what is beyond the limits above is refused before it is read. */
export const MAX_REQUEST_BYTES = 64 * 1024 * 1024
/** Bytes of a frame on a client's socket. A longer one closes the connection with 1009: Bun does so itself. */
export const MAX_FRAME_BYTES = 256 * 1024
/** How long requests in flight may take once the gateway is told to stop, in ms. */
export const FINISH_WITHIN_MS = 5_000
/** How long auth may take to answer with its keys, in ms. */
export const KEYS_WITHIN_MS = 3_000
/** Longer than a process takes to find that its store does not answer, and to say so, in ms. */
export const CHECK_WITHIN_MS = 3_000
/** Bytes of a request body that goes on to the web app. Its pages send none: what they do goes to /graphql. */
export const MAX_PROXIED_BODY_BYTES = 128 * 1024
/** Request bodies that are being read for the web app at once: 32 MiB in all. */
export const MAX_PROXIED_BODIES = 256
/** Answers of /graphql of at least so many characters are compressed; a shorter one fits into one packet as it is. */
export const COMPRESS_FROM = 1_024
/** Answers of more characters are compressed by gzip, at its fastest. */
export const BROTLI_UP_TO = 64 * 1024
/** Answers that are compressed at once; more go out as they are, so that compression takes no more than the time that is left. */
export const MAX_COMPRESSING = 16
/** How long an answer of /readyz is kept, in ms. */
export const READINESS_KEPT_MS = 1_000
