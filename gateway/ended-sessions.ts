import { oneOf } from "@parley/service/equals.ts"
import { SECRET_HEADER } from "@parley/service/link.ts"
import type { Logger } from "@parley/service/log.ts"
import { ACCESS_TOKEN } from "@parley/service/tokens.ts"
import * as v from "valibot"

const Feed = v.object({
  sessions: v.array(v.object({ id: v.string(), endedAt: v.number() })),
  now: v.number(),
})

const EVERY_MS = 1_000
/** For all processes of auth together: an end is known everywhere within 5 s, also where those asked first are frozen. */
const WITHIN_MS = 3_000
/** Asked for again each time, so that an end which was being written while we asked is not missed. */
const OVERLAP_MS = 5_000

/**
 * Asks auth every second which sessions have ended, beginning with those whose tokens may still be valid. auth says
 * what time it is there, so clocks may differ. Any of its processes knows; while none answers the question is simply
 * asked again.
 */
export function followEndedSessions(options: {
  authUrls: readonly string[]
  secret: string
  log: Logger
  onEnded(ids: readonly string[]): void
  /** In ms. */
  every?: number
}): Disposable {
  const { authUrls, secret, log, onEnded, every = EVERY_MS } = options
  let after: number | undefined
  let failing = false
  let stopped = false
  let timer: Timer | undefined

  const ofAuth = oneOf(authUrls, WITHIN_MS)

  async function ask(authUrl: string, signal: AbortSignal): Promise<void> {
    const url = new URL("/internal/ended-sessions", authUrl)
    url.searchParams.set("after", String(after ?? Date.now() - ACCESS_TOKEN.lifetime * 2_000))
    const response = await fetch(url, {
      headers: { [SECRET_HEADER]: secret },
      signal,
    })
    if (!response.ok) throw new Error(`auth answered ${response.status}`)
    const { sessions, now } = v.parse(Feed, await response.json())
    // Where auth had more to tell than fits into one answer, `now` is only how far it came: go on from there.
    const next = now - OVERLAP_MS
    after = after !== undefined && next <= after ? now : next
    if (sessions.length > 0) onEnded(sessions.map(({ id }) => id))
  }

  async function follow(): Promise<void> {
    try {
      await ofAuth(ask)
      failing = false
    } catch (error) {
      if (!failing && !stopped) log.warn("ended sessions cannot be read", { error })
      failing = true
    }
    if (!stopped) timer = setTimeout(follow, every)
  }
  void follow()

  return {
    [Symbol.dispose]() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
