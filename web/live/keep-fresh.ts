import { type Renewal, renewSession } from "./session.ts"

/** An access token lives for 10 minutes, and the socket that goes by it half a minute longer: renewed before that. */
const RENEW_AFTER_MS = 7 * 60_000
/** A tab in the background is woken once a minute at most. */
const LOOK_EVERY_MS = 60_000

export interface KeepFreshOptions {
  /** When a tab of this browser renewed the session last, in ms since the epoch; 0 where none has. */
  renewedAt?(): number
  renew?(): Promise<Renewal>
  now?(): number
  /** In ms. */
  every?: number
}

/**
 * Renews the session while the page is open, so that the gateway has a valid token for its socket: it takes the one that
 * this browser gets over HTTP. A failure is tried again at the next look; a refusal shows at the socket.
 * @returns what ends it.
 */
export function keepFresh(options: KeepFreshOptions = {}): () => void {
  const { renewedAt = lastRenewal, renew = renewSession } = options
  const { now = Date.now, every = LOOK_EVERY_MS } = options
  const timer = setInterval(() => {
    if (Math.abs(now() - renewedAt()) >= RENEW_AFTER_MS) void renew()
  }, every)
  return () => clearInterval(timer)
}

/** What `renewSession` notes for all tabs; 0 where the browser keeps nothing. */
function lastRenewal(): number {
  try {
    return Number(localStorage.getItem("parley.renewedAt") ?? 0)
  } catch {
    return 0
  }
}
