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
