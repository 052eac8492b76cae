import { CLOSE } from "@parley/link/close-codes.ts"
import { type BunSocket, closeSocket, sendAnswer, sendFrame } from "@parley/link/socket.ts"
import type { Clock } from "@parley/platform/clock.ts"
import { unauthenticated } from "@parley/platform/errors.ts"
import type { Access } from "./access-log.ts"
import type { Payer } from "./operations/new-documents.ts"
import type { Operation } from "./operations/operation.ts"
import { browserOf, type Session, type SessionSocket } from "./sessions.ts"
import type { Reader } from "./subscriptions/subscriber.ts"
import type { Caller } from "./upstream/caller.ts"

/** A token that is good for less than this, in ms, may have expired when the client's next operation comes. */
const SOON = 30_000
/** How long a client may ask with an expired token; then it is to come back with a new one. In ms. */
const REFRESH_WITHIN = 1_000

/** What is kept of the request that opened a connection. */
export interface Handshake {
  /** From the cookie. */
  token: string | undefined
  device: string | undefined
  address: string
  userAgent: string
  acknowledged(): void
}

export interface ClientOptions {
  clock: Clock
  requestId(): string
}

/** One browser's connection. Nothing of its handshake's request is kept but this. */
export class Client implements Reader, SessionSocket {
  session: Session | undefined
  readonly browser: Buffer | undefined
  /** Ends its time among those that have not said whose they are. */
  readonly acknowledged: () => void
  /** The token that it goes by; before the connection is acknowledged, the one of the cookie. */
  private token: string | undefined
  private validUntil = 0
  private readonly address: string
  private readonly userAgent: string
  private socket: BunSocket | undefined
  /** When it first asked for something since its token has expired. */
  private expiredSince: number | undefined

  constructor(
    { token, device, address, userAgent, acknowledged }: Handshake,
    private readonly options: ClientOptions,
  ) {
    this.token = token
    this.browser = browserOf(device)
    this.address = address
    this.userAgent = userAgent
    this.acknowledged = acknowledged
  }

  opened(socket: BunSocket): void {
    this.socket = socket
  }

  send(frame: string): void {
    if (this.socket) sendFrame(this.socket, frame)
  }

  /** Sends the answer to an operation; false where too much waits for the client to read it. */
  answer(frame: string): boolean {
    return !this.socket || sendAnswer(this.socket, frame)
  }

  close(code: number, reason: string): void {
    if (this.socket) closeSocket(this.socket, code, reason)
  }

  /** The token of its handshake's cookie, for the one time that it is needed. */
  takeToken(): string | undefined {
    const { token } = this
    this.token = undefined
    return token
  }

  get expiresAt(): number {
    return this.validUntil
  }

  renew(token: string, expiresAt: number): void {
    if (expiresAt <= this.validUntil) return
    this.token = token
    this.validUntil = expiresAt
  }

  get user(): string | undefined {
    return this.session?.user
  }

  /** Who answers for the cost of its operations. */
  get payer(): Payer {
    return { user: this.user, address: this.address }
  }

  get mayAsk(): boolean {
    return this.isValid(SOON)
  }

  /** Whether its token is valid, and will be for another `ms`. */
  private isValid(ms = 0): boolean {
    return this.session !== undefined && this.validUntil > this.options.clock.now() + ms
  }

  /**
   * Checks that the socket's operations have a token to go with. Its client may have refreshed its cookie through another
   * gateway, where it is of no use to this one and no script can read it: if it asks again in vain, it has to come back.
   * @throws ParleyError UNAUTHENTICATED
   */
  mustBeValid(): void {
    if (this.isValid()) {
      this.expiredSince = undefined
      return
    }
    const now = this.options.clock.now()
    this.expiredSince ??= now
    if (now - this.expiredSince > REFRESH_WITHIN)
      this.close(CLOSE.forbidden, "The access token has expired")
    throw unauthenticated("The access token has expired: refresh it and ask again.")
  }

  /** A line of the access log about it. */
  noted(
    operation: Operation | undefined,
    code: Access["code"],
    requestId?: string,
    ms = 0,
  ): Access {
    return { requestId, address: this.address, user: this.user, operation, code, ms }
  }

  caller(): Caller {
    const { session, address, userAgent } = this
    const token = this.isValid() ? this.token : undefined
    const cause = { requestId: this.options.requestId() }
    return { user: session?.user, token, refreshToken: undefined, userAgent, address, cause }
  }
}
