import type { Link } from "@parley/link/subgraph.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { logFor } from "@parley/platform/request-context.ts"
import type { BusEvent } from "../bus/bus.ts"
import { BUFFER_BYTES, BUFFER_EVENTS } from "../limits.ts"
import type { Trail } from "../trail.ts"
import { createLane, type Lane } from "./lane.ts"
import { endAll, eventBytes, isCovered, type Program, type Session } from "./session.ts"

/** Who is told of what becomes of an event, beside those whom it concerns. */
export interface Watchers {
  log: Logger
  trail?: Trail
}

/** Of one conversation: the documents whose events are being rendered, each with what waits behind. */
export type Lanes = Map<Program, Lane>

/**
 * Hands one event to some sessions: those that are still replaying keep it, the live ones of one document share one
 * rendering and, per connection, one frame. A document that has to wait for its rendering makes its own later events
 * wait, and no other document's. Answers a promise only where a rendering that began now had to wait for something.
 * @param onIdle told when the last lane has come to its end.
 */
export function dispatch(
  event: BusEvent,
  sessions: Iterable<Session>,
  watchers: Watchers,
  lanes: Lanes = new Map(),
  onIdle: () => void = () => {},
): void | Promise<void> {
  const waiting: Promise<void>[] = []
  for (const [program, audience] of byProgram(event, sessions)) {
    const lane = lanes.get(program)
    if (lane) {
      lane.add(event, audience)
      continue
    }
    const sent = render(program, event, audience, watchers)
    if (!sent) continue
    const send = (event: BusEvent, audience: Session[]) =>
      render(program, event, audience, watchers)
    const onEnd = () => {
      lanes.delete(program)
      if (lanes.size === 0) onIdle()
    }
    const opened = createLane(sent, audience, send, onEnd, watchers.log)
    lanes.set(program, opened)
    waiting.push(opened.done)
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
  session.bufferedBytes += eventBytes(event)
  if (session.buffer.length > BUFFER_EVENTS || session.bufferedBytes > BUFFER_BYTES) {
    session.end(unavailable("Too much has happened during the replay: resume from your position."))
  }
}

function render(
  program: Program,
  event: BusEvent,
  audience: Session[],
  watchers: Watchers,
): void | Promise<void> {
  if (program.shareable) return send(program, event, undefined, audience, watchers)
  const waiting: Promise<void>[] = []
  // One person's devices share a rendering.
  for (const [user, sessions] of Map.groupBy(audience, ({ user }) => user)) {
    const sent = send(program, event, user, sessions, watchers)
    if (sent) waiting.push(sent)
  }
  return waiting.length > 0 ? Promise.all(waiting).then(() => {}) : undefined
}

function send(
  program: Program,
  event: BusEvent,
  viewer: string | undefined,
  audience: Session[],
  { log, trail }: Watchers,
): void | Promise<void> {
  // An event that cannot be rendered must not be skipped: its sessions end, and resume from their positions.
  const giveUp = (error: unknown) => {
    const isTooLarge = error instanceof ParleyError && error.code === "TOO_LARGE"
    if (!isTooLarge) logFor(log, event.cause).error("event not rendered", { error })
    const reason = isTooLarge ? error : unavailable("The event could not be read.")
    endAll(audience, reason, log)
  }
  try {
    const delivering = trail?.delivering(event)
    const { cause } = delivering ?? event
    const give = (payload: string) => {
      let sessions = 0
      for (const [link, ids] of byLink(audience)) {
        if (link.deliver(ids, payload, cause)) sessions += ids.length
      }
      delivering?.done(sessions)
    }
    const payload = program.render(event, viewer)
    if (payload instanceof Promise) return payload.then(give).catch(giveUp)
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
