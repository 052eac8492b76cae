/**
 * The codes with which Parley closes a WebSocket (RFC 6455 §7.4, IANA's registry, and graphql-transport-ws). graphql-ws adds
 * those of its own for frames that break the protocol. docs/protocol.md says what each asks of the client.
 */
export const CLOSE = {
  normal: 1000,
  /** What is behind the socket went away: come back at once, and resume by position. */
  serviceRestart: 1012,
  /** Too much, or something cannot be reached: come back with back-off. */
  tryAgainLater: 1013,
  /** No valid token, the session has ended, or its token has expired: refresh, or sign in. */
  forbidden: 4403,
  internalError: 4500,
} as const
