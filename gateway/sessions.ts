import { timingSafeEqual } from "node:crypto"
import { CLOSE } from "@parley/link/close-codes.ts"
import type { Clock } from "@parley/platform/clock.ts"
import { unauthenticated, unavailable } from "@parley/platform/errors.ts"
import { ACCESS_TOKEN, type TokenVerifier, type Viewer } from "@parley/platform/tokens.ts"
import { gradually } from "./gradually.ts"
import {
  EXPIRED_SOCKET_GRACE_MS,
  FIRST_FEED_WITHIN_MS,
  MAX_SOCKETS_PER_PERSON,
  MAX_SOCKETS_PER_SESSION,
} from "./limits.ts"

/** A login session that has live sockets here. */
export interface Session {
  id: string
  user: string
  sockets: Set<SessionSocket>
}

export interface SessionSocket {
  /** Digest of the device cookie of its handshake; undefined where there was none. */
  readonly browser: Buffer | undefined
  /** When the token that it goes by expires, in ms since the epoch. */
  readonly expiresAt: number
  /** Goes on with a newer token of its session. */
  renew(token: string, expiresAt: number): void
  close(code: number, reason: string): void
}

export interface Sessions {
  /**
   * Who a token says is asking.
   * @throws ParleyError UNAUTHENTICATED where the token is not valid now or its session has ended; UNAVAILABLE where
   * the keys, or for the first time the ended sessions, cannot be had.
   */
  viewer(token: string): Viewer | Promise<Viewer>
  /** Ties a socket to its session; undefined where the session or its user has too many. */
  enter(viewer: Viewer, socket: SessionSocket): Session | undefined
  leave(session: Session, socket: SessionSocket): void
  /**
   * Notes a token that came by HTTP, or was set by auth in answer. The sockets of its session go on with it that were
   * opened by the same browser, which is the one with the same device cookie; others do not.
   */
  noteToken(viewer: Viewer, token: string, device: string | undefined): void
  /** Ends sessions: their sockets are closed with 4403, and their tokens refused from now on. */
  end(ids: readonly string[]): void
  /** Auth has told which sessions ended before now: from now on tokens are taken without waiting for it. */
  heard(): void
  /** Closes the sockets, with 4403, whose token has expired some time ago. */
  expire(): Promise<void>
  /** The login sessions that have live sockets. */
  ids(): string[]
  /** All live sockets. */
  sockets(): Iterable<SessionSocket>
}

/** An ended session's tokens have all expired after this; the minute is for clocks that differ. */
const REMEMBER_ENDED_MS = (ACCESS_TOKEN.lifetime + 60) * 1000

/**
 * The login sessions of all who are connected. A socket goes by a token of its own: the one that opened it, then those
 * that come over it, then those that its own browser has renewed by HTTP at this gateway. It never gets a token that
 * another device of the session has renewed: a copied access token is worth its 10 minutes and no more. Once its token
 * has expired, its operations answer UNAUTHENTICATED, and a little later it ends.
 */
export function createSessions(options: {
  tokens: TokenVerifier
  clock: Clock
  /** How long the first answer of the feed is waited for, in ms. */
  firstFeedWithin?: number
}): Sessions {
  const { tokens, clock, firstFeedWithin = FIRST_FEED_WITHIN_MS } = options
  const live = new Map<string, Session>()
  const socketsOf = new Map<string, number>()
  const ended = new Map<string, number>()
  const first = Promise.withResolvers<void>()
  let isHeard = false

  const mustGoOn = (viewer: Viewer): Viewer => {
    if (ended.has(viewer.session)) throw unauthenticated("The session has ended: sign in again.")
    return viewer
  }

  function viewer(token: string): Viewer | Promise<Viewer> {
    const found = tokens.verify(token)
    return found instanceof Promise ? found.then(mustGoOn) : mustGoOn(found)
  }

  async function afterFirstFeed(): Promise<void> {
    let timer: Timer | undefined
    const late = new Promise<never>((_, reject) => {
      const refuse = () => reject(unavailable("It is not known yet which sessions have ended."))
      timer = setTimeout(refuse, firstFeedWithin)
    })
    await Promise.race([first.promise, late]).finally(() => clearTimeout(timer))
  }

  return {
    viewer: (token) => (isHeard ? viewer(token) : afterFirstFeed().then(() => viewer(token))),
    enter({ session: id, user }, socket) {
      let session = live.get(id)
      const sockets = socketsOf.get(user) ?? 0
      if (session && session.sockets.size >= MAX_SOCKETS_PER_SESSION) return undefined
      if (sockets >= MAX_SOCKETS_PER_PERSON) return undefined
      if (!session) {
        session = { id, user, sockets: new Set() }
        live.set(id, session)
      }
      session.sockets.add(socket)
      socketsOf.set(user, sockets + 1)
      return session
    },
    leave(session, socket) {
      if (!session.sockets.delete(socket)) return
      const left = (socketsOf.get(session.user) ?? 1) - 1
      if (left > 0) socketsOf.set(session.user, left)
      else socketsOf.delete(session.user)
      if (session.sockets.size === 0 && live.get(session.id) === session) live.delete(session.id)
    },
    noteToken({ session: id, expiresAt }, token, device) {
      const session = device === undefined ? undefined : live.get(id)
      if (!session) return
      let browser: Buffer | undefined
      for (const socket of session.sockets) {
        if (socket.browser === undefined || socket.expiresAt >= expiresAt) continue
        browser ??= browserOf(device)
        if (browser && timingSafeEqual(socket.browser, browser)) socket.renew(token, expiresAt)
      }
    },
    end(ids) {
      const now = clock.now()
      for (const [id, at] of ended) {
        if (at + REMEMBER_ENDED_MS > now) break
        ended.delete(id)
      }
      for (const id of ids) {
        if (!ended.has(id)) ended.set(id, now)
        for (const socket of live.get(id)?.sockets ?? [])
          socket.close(CLOSE.forbidden, "The session has ended")
      }
    },
    heard() {
      isHeard = true
      first.resolve()
    },
    async expire() {
      const before = clock.now() - EXPIRED_SOCKET_GRACE_MS
      const expired: SessionSocket[] = []
      for (const { sockets } of live.values())
        for (const socket of sockets) if (socket.expiresAt < before) expired.push(socket)
      await gradually(expired, (socket) => {
        if (socket.expiresAt < before) socket.close(CLOSE.forbidden, "The access token has expired")
      })
    },
    ids: () => [...live.keys()],
    *sockets() {
      for (const { sockets } of live.values()) yield* sockets
    },
  }
}

/** What tells one browser from another: a digest of its device cookie, of which no more is kept than that. */
export const browserOf = (device: string | undefined): Buffer | undefined =>
  device === undefined ? undefined : new Bun.CryptoHasher("sha256").update(device).digest()
