import type { Clock } from "@parley/platform/clock.ts"
import { notFound, ParleyError, unauthenticated, unavailable } from "@parley/platform/errors.ts"
import type { IdSource } from "@parley/platform/ids.ts"
import type { TokenBuckets } from "@parley/platform/token-bucket.ts"
import type { Viewer } from "@parley/platform/tokens.ts"
import { MAX_ENDED_SESSIONS, MAX_SESSIONS } from "../limits.ts"
import type { Session, Store } from "../store/store.ts"
import type { AccessTokens } from "./access-tokens.ts"
import { createLateRefreshes } from "./late-refreshes.ts"
import type { RefreshClaim, RefreshTokens } from "./refresh-tokens.ts"

/** A refresh token lives so long after it was issued, in seconds. */
export const REFRESH_LIFETIME = 30 * 24 * 60 * 60
/** Within this time a refresh token that was just replaced is asked with by two tabs; later, an answer was lost. */
export const REFRESH_GRACE_MS = 10_000
/** How exactly a user is told when a session was seen. */
const SEEN_TO_MS = 60 * 60 * 1000
/** Twice the life of an access token: by then no token of an ended session is valid any more. */
const ENDED_SESSIONS_MS = 20 * 60 * 1000

export interface SignedIn {
  user: string
  session: string
  accessToken: string
  refreshToken: string
}

export interface EndedSessions {
  sessions: { id: string; endedAt: number }[]
  /**
   * The store's time, whichever process answers. What ended a moment before it may not have been there yet: ask next
   * for what comes after a time some seconds back. Where there is more, it is how far this answer goes: ask for what
   * comes after it.
   */
  now: number
  more: boolean
}

/** Login sessions: they begin with a sign-in, are kept alive by refresh tokens, and end once. */
export interface Sessions {
  begin(user: string, device: string): Promise<SignedIn>
  /**
   * Replaces a refresh token by its successor.
   * The token before the present one stays good, and gets the same successor again, until the present one has been
   * presented: whose answer was lost asks again, at any time.
   * @throws ParleyError UNAUTHENTICATED where the token is not valid; TokenReused where its successor has been presented
   * already: there is a copy of it, and the whole session ends; RATE_LIMITED where the session is renewed too often.
   * @param isWaitedFor says whether the client is still there: where a process was frozen meanwhile, the owner may have
   * asked another one since, and would never hear of the successor. Nothing changes then: UNAVAILABLE.
   */
  refresh(token: string, isWaitedFor?: () => boolean): Promise<SignedIn>
  /**
   * Gives the viewer's session a refresh token that none of the tokens before it leads to: a copy of one is refused from
   * then on, and ends the session. Undefined where the session has ended.
   */
  moveOn(viewer: Viewer): Promise<SignedIn | undefined>
  /** @throws ParleyError UNAUTHENTICATED where the viewer's session has ended, whatever their token says. */
  mustBeLive(viewer: Viewer): Promise<void>
  /** The live ones as their user sees them, the one seen last first: when one was seen is told to the hour. */
  list(user: string): Promise<Session[]>
  end(session: string): Promise<void>
  /** Ends the session that a refresh token belongs to, whichever of its tokens it is; the session's id, where it is one. */
  endByToken(token: string): Promise<string | undefined>
  /** @throws ParleyError NOT_FOUND where the user has no such session. */
  revoke(user: string, session: string): Promise<void>
  endOthers(viewer: Viewer): Promise<void>
  /** Those of the given sessions that have ended or expired, or are not known any more. */
  endedOf(ids: readonly string[]): Promise<string[]>
  /** Those that ended after that time (ms since the epoch), oldest first, as far as their tokens may still be valid. */
  endedSince(after: number): Promise<EndedSessions>
}

export interface SessionsOptions {
  store: Store
  clock: Clock
  ids: IdSource
  accessTokens: AccessTokens
  refreshTokens: RefreshTokens
  limits: { refreshes: TokenBuckets }
}

export function createSessions(options: SessionsOptions): Sessions {
  const { store, clock, ids, accessTokens, refreshTokens, limits } = options
  const late = createLateRefreshes(store, clock, REFRESH_LIFETIME * 1000)

  async function signedIn(user: string, session: string, generation: number): Promise<SignedIn> {
    const accessToken = await accessTokens.issue(user, session)
    const refreshToken = await refreshTokens.issue(session, generation)
    return { user, session, accessToken, refreshToken }
  }

  /** What a renewal at that time sets. */
  const renewal = async (session: string, generation: number, now: number) => ({
    generation,
    tokenHash: refreshTokens.hash(await refreshTokens.issue(session, generation)),
    lastSeenAt: now,
    expiresAt: now + REFRESH_LIFETIME * 1000,
  })

  async function refresh(token: string, isWaitedFor = () => true): Promise<SignedIn> {
    const claim = await refreshTokens.read(token)
    if (!claim) throw ended()
    const taken = limits.refreshes.take(claim.session, 1, clock.now())
    if (taken.ok) return renew(token, claim, isWaitedFor)
    const { retryAfterMs } = taken
    throw new ParleyError("RATE_LIMITED", "Too many renewals: wait a moment.", { retryAfterMs })
  }

  async function renew(
    token: string,
    claim: RefreshClaim,
    isWaitedFor: () => boolean,
  ): Promise<SignedIn> {
    const session = await store.session(claim.session)
    const now = clock.now()
    if (!session || session.endedAt !== null || session.expiresAt <= now) throw ended()
    if (!isWaitedFor()) throw unavailable("The client waits for this session no more.")
    const { id, user, generation } = session

    if (claim.generation === generation) {
      if (refreshTokens.hash(token) !== session.tokenHash) throw ended()
      const next = await renewal(id, generation + 1, now)
      if (await store.rotateSession(id, generation, next)) return signedIn(user, id, generation + 1)
      // Another tab was faster, or the session has just ended: look again.
      return renew(token, claim, isWaitedFor)
    }
    if (claim.generation === generation - 1) {
      const isLate = now - session.rotatedAt > REFRESH_GRACE_MS
      if (!isLate || !(await late.note(id, generation))) return signedIn(user, id, generation)
    }
    if (claim.generation > generation) throw ended()
    // The client that presented the successor has it, and this one has not: one of them holds a copy.
    await store.endSession(id)
    throw new TokenReused(user, id)
  }

  async function endAll(sessions: Session[]) {
    for (const { id } of sessions) await store.endSession(id)
  }

  return {
    async begin(user, device) {
      const id = ids()
      const now = clock.now()
      await store.insertSession({
        id,
        user,
        device,
        createdAt: now,
        endedAt: null,
        rotatedAt: now,
        ...(await renewal(id, 1, now)),
      })
      await endAll((await store.liveSessions(user, now)).slice(MAX_SESSIONS))
      return signedIn(user, id, 1)
    },
    refresh,
    async moveOn({ session: id }) {
      for (;;) {
        const session = await store.session(id)
        if (!session || session.endedAt !== null) return undefined
        // Two generations on: the token right before the new one would be given the new one.
        const generation = session.generation + 2
        const next = await renewal(id, generation, clock.now())
        if (await store.rotateSession(id, session.generation, next)) {
          return signedIn(session.user, id, generation)
        }
      }
    },
    async mustBeLive(viewer) {
      const session = await store.session(viewer.session)
      if (session?.user !== viewer.user || session.endedAt !== null) throw ended()
    },
    async list(user) {
      const live = await store.liveSessions(user, clock.now())
      // Neither a time nor the order tells of a single renewal.
      return live
        .map((session) => ({ ...session, lastSeenAt: shownSeenAt(session) }))
        .sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt)
    },
    async end(session) {
      await store.endSession(session)
    },
    async endByToken(token) {
      const claim = await refreshTokens.read(token)
      if (claim) await store.endSession(claim.session)
      return claim?.session
    },
    async revoke(user, id) {
      const session = await store.session(id)
      if (session?.user !== user) throw notFound("session")
      await store.endSession(id)
    },
    async endOthers(viewer) {
      const sessions = await store.liveSessions(viewer.user, clock.now())
      await endAll(sessions.filter((session) => session.id !== viewer.session))
    },
    async endedOf(ids) {
      const live = new Set(await store.liveAmong(ids, clock.now()))
      return ids.filter((id) => !live.has(id))
    },
    async endedSince(after) {
      // First the time, then the look: what ends after it is told the next time.
      const now = await store.time()
      const from = Math.max(after, now - ENDED_SESSIONS_MS)
      const sessions = await store.endedSessions(from, MAX_ENDED_SESSIONS)
      const last = sessions.at(-1)
      if (!last || sessions.length < MAX_ENDED_SESSIONS) return { sessions, now, more: false }
      // Others may have ended in the same millisecond.
      return { sessions, now: last.endedAt - 1, more: true }
    },
  }
}

/**
 * To the hour, rounded down, and never before the session began. A thief with a copy of the refresh token goes unnoticed
 * only within REFRESH_GRACE_MS of the owner's renewals: the list does not tell when those are.
 */
const shownSeenAt = ({ createdAt, lastSeenAt }: Session) =>
  Math.max(createdAt, lastSeenAt - (lastSeenAt % SEEN_TO_MS))

const ENDED = "This session has ended: sign in again."
const ended = () => unauthenticated(ENDED)

/** A refresh token was used whose successor had been used before: the session has been ended. */
export class TokenReused extends ParleyError {
  constructor(
    readonly user: string,
    readonly session: string,
  ) {
    super("UNAUTHENTICATED", ENDED)
  }
}
