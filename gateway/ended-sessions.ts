import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { every } from "@parley/platform/every.ts"
import { failover } from "@parley/platform/failover.ts"
import type { Logger } from "@parley/platform/log.ts"
import * as v from "valibot"
import { FEED_REACH_MS, SESSIONS_PER_QUESTION } from "./limits.ts"

const Feed = v.object({
  sessions: v.array(v.object({ id: v.string(), endedAt: v.number() })),
  now: v.number(),
  more: v.optional(v.boolean(), false),
})

const Ended = v.object({ ended: v.array(v.string()) })

const EVERY_MS = 1_000
/** For all processes of auth together: an end is known everywhere within 5 s, also where those asked first are frozen. */
const WITHIN_MS = 3_000
/** Asked for again each time, so that an end which was being written while we asked is not missed. */
const OVERLAP_MS = 5_000

/**
 * Asks auth every second which sessions have ended, beginning with those whose tokens may still be valid. It goes by the
 * time that auth tells with each answer, which is that of its store, and follows it wherever it goes, also back: so
 * no clock matters. Any of its processes knows; while none answers the question is simply asked again.
 */
export function followEndedSessions(options: {
  authUrls: readonly string[]
  secret: string
  log: Logger
  onEnded(ids: readonly string[]): void
  /** All that ended until now has been told. */
  onHeard(): void
  /** The sessions that have sockets here. */
  live(): string[]
  /** In ms. */
  every?: number
}): Disposable {
  const { authUrls, secret, log, onEnded, onHeard, live } = options
  /** 0: as far back as it matters. */
  let after = 0
  const ofAuth = failover(authUrls, WITHIN_MS)

  const ask = (from: number) =>
    ofAuth(async (authUrl, signal) => {
      const url = new URL("/internal/ended-sessions", authUrl)
      url.searchParams.set("after", String(from))
      const response = await fetch(url, { headers: { [SECRET_HEADER]: secret }, signal })
      if (!response.ok) throw new Error(`auth answered ${response.status}`)
      return v.parse(Feed, await response.json())
    })

  /** The feed reaches back 20 minutes only: after a longer silence auth is asked for each session that is here. */
  async function askForAll(): Promise<void> {
    const ids = live()
    for (let at = 0; at < ids.length; at += SESSIONS_PER_QUESTION) {
      const body = JSON.stringify({ ids: ids.slice(at, at + SESSIONS_PER_QUESTION) })
      const { ended } = await ofAuth(async (authUrl, signal) => {
        const headers = { [SECRET_HEADER]: secret, "content-type": "application/json" }
        const url = new URL("/internal/sessions", authUrl)
        const response = await fetch(url, { method: "POST", headers, body, signal })
        if (!response.ok) throw new Error(`auth answered ${response.status}`)
        return v.parse(Ended, await response.json())
      })
      if (ended.length > 0) onEnded(ended)
    }
  }

  async function read(): Promise<void> {
    for (let from = after; ; ) {
      const { sessions, now, more } = await ask(from)
      if (sessions.length > 0) onEnded(sessions.map(({ id }) => id))
      if (!more) {
        if (after > 0 && now - after > FEED_REACH_MS) await askForAll()
        after = Math.max(0, now - OVERLAP_MS)
        onHeard()
        return
      }
      // More than fits into one answer: `now` is only how far it came.
      if (now <= from) throw new Error("auth repeats itself")
      from = now
    }
  }

  const following = every(options.every ?? EVERY_MS, read, (error) =>
    log.warn("ended sessions cannot be read", { error }),
  )
  return { [Symbol.dispose]: () => void following.stop() }
}
