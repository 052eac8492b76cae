import { logFor } from "@parley/service/cause.ts"
import { unavailable } from "@parley/service/errors.ts"
import type { Logger } from "@parley/service/log.ts"
import type { Link } from "@parley/service/subgraph.ts"
import type { BusEvent } from "../bus/bus.ts"
import type { Trail } from "../trail.ts"
import { isCovered, MAX_BUFFERED, type Program, type Session } from "./session.ts"

/** Who is told of what becomes of an event, beside those whom it concerns. */
export interface Watchers {
  log: Logger
  trail?: Trail
}

/**
 * Hands one event to some sessions: those that are still replaying keep it, the live ones of one document share one
 * rendering and, per connection, one frame. Answers a promise only where a rendering had to wait for something.
 */
export function dispatch(
  event: BusEvent,
  sessions: Iterable<Session>,
  watchers: Watchers,
): void | Promise<void> {
  const waiting: Promise<void>[] = []
  for (const [program, audience] of byProgram(event, sessions)) {
    const sent = program.shareable
      ? send(program, event, undefined, audience, watchers)
      : sendEach(program, event, audience, watchers)
    if (sent) waiting.push(sent)
  }
  if (waiting.length > 0) return Promise.all(waiting).then(() => {})
}

function byProgram(event: BusEvent, sessions: Iterable<Session>): Map<Program, Session[]> {
  const programs = new Map<Program, Session[]>()
  for (const session of sessions) {
    if (session.phase === "replaying") buffer(session, event)
    else if (session.phase === "live" && !isCovered(session, event)) {
      const audience = programs.get(session.program)
      if (audience) audience.push(session)
      else programs.set(session.program, [session])
    }
  }
  return programs
}

function buffer(session: Session, event: BusEvent): void {
  session.buffer.push(event)
  if (session.buffer.length > MAX_BUFFERED) {
    session.end(unavailable("Too much has happened during the replay: resume from your position."))
  }
}

function sendEach(program: Program, event: BusEvent, audience: Session[], watchers: Watchers) {
  const waiting = audience.flatMap((session) => {
    const sent = send(program, event, session.user, [session], watchers)
    return sent ? [sent] : []
  })
  return waiting.length > 0 ? Promise.all(waiting).then(() => {}) : undefined
}

function send(
  program: Program,
  event: BusEvent,
  viewer: string | undefined,
  audience: Session[],
  { log, trail }: Watchers,
): void | Promise<void> {
  const delivering = trail?.delivering(event)
  const { cause } = delivering ?? event
  const give = (payload: string) => {
    let sessions = 0
    for (const [link, ids] of byLink(audience)) {
      if (link.deliver(ids, payload, cause)) sessions += ids.length
    }
    delivering?.done(sessions)
  }
  // An event that cannot be rendered must not be skipped: its sessions end, and resume from their positions.
  const giveUp = (error: unknown) => {
    logFor(log, cause).error("event not rendered", { error })
    for (const session of audience) session.end(unavailable("The event could not be read."))
  }
  try {
    const payload = program.render(event, viewer)
    if (payload instanceof Promise) return payload.then(give, giveUp)
    give(payload)
  } catch (error) {
    giveUp(error)
  }
}

function byLink(audience: Session[]): Map<Link, string[]> {
  const links = new Map<Link, string[]>()
  for (const { phase, link, id } of audience) {
    if (phase === "ended") continue
    const ids = links.get(link)
    if (ids) ids.push(id)
    else links.set(link, [id])
  }
  return links
}
