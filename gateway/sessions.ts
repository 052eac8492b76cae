import type { Clock } from "@parley/service/clock.ts"
import { unauthenticated } from "@parley/service/errors.ts"
import { ACCESS_TOKEN, type TokenVerifier, type Viewer } from "@parley/service/tokens.ts"

/** A login session that has live sockets here. */
export interface Session {
  id: string
  user: string
  /** The newest token that was seen for it, and when that expires, in ms since the epoch. */
  token: string
  expiresAt: number
  sockets: Set<SessionSocket>
}

export interface SessionSocket {
  close(code: number, reason: string): void
}

export interface Sessions {
  /**
   * Who a token says is asking.
   * @throws ParleyError UNAUTHENTICATED where the token is not valid now or its session has ended.
   */
  viewer(token: string): Viewer | Promise<Viewer>
  /** Ties a socket to its session, with the token that opened it; undefined where the session has too many. */
  enter(viewer: Viewer, token: string, socket: SessionSocket): Session | undefined
  leave(session: Session, socket: SessionSocket): void
  /** Notes a token of a session; its live sockets go on with the newest one. */
  noteToken(viewer: Viewer, token: string): void
  /** Ends sessions: their sockets are closed with 4403, and their tokens refused from now on. */
  end(ids: readonly string[]): void
  /** All live sockets. */
  sockets(): Iterable<SessionSocket>
}

const MAX_SOCKETS_PER_SESSION = 50
/** An ended session's tokens have all expired after this; the minute is for clocks that differ. */
const REMEMBER_ENDED_MS = (ACCESS_TOKEN.lifetime + 60) * 1000

/**
 * The login sessions of whoever is connected. A socket belongs to its session and not to a token: it lives on when the
 * token that opened it has expired. The subgraphs check tokens, though, so what it asks for goes out with the newest
 * valid token that the gateway has seen for that session: in any HTTP request, on any socket, in a cookie that auth
 * has just set, or in the `extensions.authorization` of the operation itself. Where there is none, an operation
 * answers UNAUTHENTICATED, and the client refreshes and asks again. Subscriptions that run already simply go on.
 */
export function createSessions(options: { tokens: TokenVerifier; clock: Clock }): Sessions {
  const { tokens, clock } = options
  const live = new Map<string, Session>()
  const ended = new Map<string, number>()

  const mustGoOn = (viewer: Viewer): Viewer => {
    if (ended.has(viewer.session)) throw unauthenticated("The session has ended: sign in again.")
    return viewer
  }

  function noteToken({ session: id, expiresAt }: Viewer, token: string): void {
    const session = live.get(id)
    if (!session || session.expiresAt >= expiresAt) return
    session.token = token
    session.expiresAt = expiresAt
  }

  return {
    viewer(token) {
      const viewer = tokens.verify(token)
      return viewer instanceof Promise ? viewer.then(mustGoOn) : mustGoOn(viewer)
    },
    enter(viewer, token, socket) {
      let session = live.get(viewer.session)
      if (session && session.sockets.size >= MAX_SOCKETS_PER_SESSION) return undefined
      if (!session) {
        const { session: id, user, expiresAt } = viewer
        session = { id, user, token, expiresAt, sockets: new Set() }
        live.set(id, session)
      }
      session.sockets.add(socket)
      noteToken(viewer, token)
      return session
    },
    leave(session, socket) {
      session.sockets.delete(socket)
      if (session.sockets.size === 0 && live.get(session.id) === session) live.delete(session.id)
    },
    noteToken,
    end(ids) {
      const now = clock.now()
      for (const [id, at] of ended) {
        if (at + REMEMBER_ENDED_MS > now) break
        ended.delete(id)
      }
      for (const id of ids) {
        if (!ended.has(id)) ended.set(id, now)
        for (const socket of live.get(id)?.sockets ?? [])
          socket.close(4403, "The session has ended")
      }
    },
    *sockets() {
      for (const { sockets } of live.values()) yield* sockets
    },
  }
}
