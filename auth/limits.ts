// Auth: guesses of passwords, sign-ins, hashing, sessions and devices.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The window of each limit on guesses, in ms. */
export const GUESS_WINDOW_MS = 15 * MINUTE
/** Wrong passwords for one account from one address group (IPv4 address, IPv6 /64) in the window. */
export const GUESSES_PER_ACCOUNT_AND_ADDRESS = 10
/** The same from one IPv6 /48, which holds 65,536 groups: one customer can own it. */
export const GUESSES_PER_ACCOUNT_AND_NETWORK = 20
/** Wrong passwords for one account from all devices that never signed in to it. Beyond that, they take turns. */
export const GUESSES_PER_ACCOUNT = 50
/** Wrong passwords for one account from one device that has signed in to it before. */
export const GUESSES_PER_DEVICE = 10
/** Wrong present passwords in one login session, where the password is to be changed. */
export const GUESSES_PER_SESSION = 10
/** An IPv6 /48 gets so many times what one address group gets: guesses and sign-ups alike. */
export const NETWORK_FACTOR = 4

/** Turns at an account that is being guessed at, for addresses that had none in the last day: one in so many ms. */
export const FRESH_TURN_EVERY_MS = 2_000
/** The same for addresses that had one. */
export const USED_TURN_EVERY_MS = 20_000
/** A turn waits for its address so long, in ms. */
export const TURN_KEPT_MS = 2 * MINUTE
/** An address that had a turn counts as used so long, in ms. */
export const TURN_REMEMBERED_MS = DAY

/** Sign-ins with the right password, of one account in a day. A person signs in some times a week. */
export const SIGN_INS_PER_ACCOUNT = 300
export const SIGN_INS_WINDOW_MS = DAY
/** The window of the limit on sign-ups, in ms. */
export const SIGN_UP_WINDOW_MS = HOUR

/** Changes of one account's profile in the window: each is written to the disk, and all who see the account read it anew. */
export const PROFILE_CHANGES_PER_ACCOUNT = 60
export const PROFILE_CHANGES_WINDOW_MS = HOUR

/** Searches for people by one account, at each process: all at once, and what comes back in a second. A person types. */
export const SEARCHES_PER_ACCOUNT = { burst: 300, perSecond: 5 } as const

/**
 * Renewals of one login session, at each process: all at once, and what comes back in a second. A client renews every
 * few minutes, and each tab of a browser may do so at the same moment.
 */
export const REFRESHES_PER_SESSION = { burst: 100, perSecond: 0.5 } as const

/** Hashes that are computed at the same time: 19 MiB and one core each. */
export const HASHES_AT_ONCE = 2
/** Sign-ins, sign-ups and changes of passwords under way: two hash while two count. */
export const SIGN_INS_AT_ONCE = 4
/** Of these, for one account or one known device. */
export const SIGN_INS_AT_ONCE_PER_ACCOUNT = 2
/** How many may wait for their turn: some seconds of hashing. The longest queue gives way beyond that. */
export const SIGN_INS_WAITING = 128
/** Of these, for one account, from one address or from many. */
export const SIGN_INS_WAITING_PER_ACCOUNT = 32
/** Of these, from one address group. */
export const SIGN_INS_WAITING_PER_ADDRESS = 64

/** Live login sessions of one account; the one that was seen least recently makes room. */
export const MAX_SESSIONS = 100
/** Ended sessions that the feed tells of at once. */
export const MAX_ENDED_SESSIONS = 10_000
/** Sessions that a gateway may ask for by name at once. */
export const MAX_SESSIONS_ASKED = 1_000
/**
 * Consecutive refresh tokens that were each presented again long after they had been replaced. A lost answer does that
 * once; two holders of one token, who renew in turn, do it each time: the session ends as stolen.
 */
export const MAX_LATE_REFRESHES = 5

/** Accounts that one device cookie remembers; the one that signed in least recently is forgotten. */
export const MAX_ACCOUNTS_PER_DEVICE = 8
/** Audit lines a second that say that a limit refused a request; how many were left out, the next line says. */
export const AUDIT_LIMITED_PER_SECOND = 20
/** Characters of a device's name, and of what stands for an address, in an audit line. */
export const AUDIT_TEXT_LENGTH = 64
