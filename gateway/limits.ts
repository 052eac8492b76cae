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
/** The same for an address from which nobody is signed in. */
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
/** Bytes that may wait for a client that reads slowly. Beyond it the connection ends and resumes by position. */
export const MAX_QUEUED_BYTES = 1024 * 1024
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
