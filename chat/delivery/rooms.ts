import { unavailable } from "@parley/platform/errors.ts"
import type { BusEvent } from "../bus/bus.ts"
import type { Entry, MembersEntry } from "../domain/entry.ts"
import { REPLAY_PAGE_BYTES, ROOM_BYTES, ROOM_EVENTS, ROOM_WAIT_MS } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { dispatch, type Watchers } from "./dispatch.ts"
import { lanesToDrain } from "./lane.ts"
import { createLeaving } from "./leaving.ts"
import type { Room } from "./room.ts"
import { endAll, eventBytes, type Session } from "./session.ts"

const FILL_PAGE = 200
const FILL_RETRY_MS = 250

export interface Rooms {
  /** Tells those in the event's room of it; an entry may also bring somebody in. */
  take(event: BusEvent, users: readonly string[]): void
  /**
   * Lets a session in whose membership was read when the log ended at `head`: it is told of every entry after that.
   * False where the room is ahead of `head`: the membership must be read again.
   */
  place(session: Session, conversation: string, head: number): boolean
  /**
   * Takes a session out whose membership ended with the entry `until`, as its reading says, where the room has yet to
   * come by that entry. A room that is past it has let the session in again by a later joining.
   */
  takeOut(session: Session, conversation: string, until: number): void
  /** From here to the call of what it returns a session reads its memberships, and misses nothing that passes meanwhile. */
  beginPlacing(): () => void
  /** Forgets what only the session's replay needed. */
  settle(session: Session): void
  /** The session leaves every room; one that has ended is told of nothing any more, so many rooms may take a while. */
  remove(session: Session): void
  /** How many rooms the session is in. */
  placesOf(session: Session): number
  readonly size: number
  /** Conversations without a room of which is remembered that something passed while sessions are being placed. */
  readonly strays: number
  /** What waits in the rooms: in all of them, and in the fullest. */
  queued(): { all: number; fullest: number }
}

export interface RoomsOptions extends Watchers {
  store: Pick<Store, "entries">
  /** The sessions that a user has on this node. */
  sessionsOf(user: string): ReadonlySet<Session>
}

/**
 * A room goes through its log strictly in order: an entry that arrives early makes the room read what is missing, and
 * who is in the room at an entry is who was a member at that entry's seq. So order, absence of holes and of leaks do not
 * depend on what the bus does.
 */
export function createRooms(options: RoomsOptions): Rooms {
  const { store, log, sessionsOf } = options
  const rooms = new Map<string, Room>()
  const roomsOf = new Map<Session, Set<Room>>()
  /**
   * The newest entry of conversations that had no room when it passed, and the epoch of that; in the order of epochs. An
   * epoch begins with the placing of a session, and is of no use once all placings that began by then are over.
   */
  const strays = new Map<string, { seq: number; epoch: number }>()
  let epoch = 0
  /** The epochs of the placings under way, in their order. */
  const placings = new Set<number>()
  const leave = createLeaving<Session, Room>((session, room) => exit(room, session))

  function openRoom(conversation: string, tail: number): Room {
    const room: Room = {
      ...{ conversation, tail, known: tail, sessions: new Set(), lanes: new Map() },
      ...{ queue: [], queuedBytes: 0, busy: false, failingSince: undefined },
    }
    rooms.set(conversation, room)
    return room
  }

  function enter(room: Room, session: Session): void {
    room.sessions.add(session)
    const entered = roomsOf.get(session)
    if (entered) entered.add(room)
    else roomsOf.set(session, new Set([room]))
  }

  function exit(room: Room, session: Session): void {
    room.sessions.delete(session)
    roomsOf.get(session)?.delete(room)
    if (!room.busy) closeIfEmpty(room)
  }

  function closeIfEmpty(room: Room): void {
    // What is still being rendered comes before anything that a room opened later would send.
    if (room.sessions.size > 0 || room.lanes.size > 0) return
    rooms.delete(room.conversation)
    noteStray(room.conversation, room.known)
  }

  /** Who is being placed may have read of the conversation before that entry, and finds no room that knows of it. */
  function noteStray(conversation: string, seq: number): void {
    if (placings.size === 0) return
    const known = strays.get(conversation)?.seq ?? 0
    strays.delete(conversation)
    strays.set(conversation, { seq: Math.max(seq, known), epoch })
  }

  function endPlacing(began: number): void {
    placings.delete(began)
    const [oldest = Number.POSITIVE_INFINITY] = placings
    for (const [conversation, stray] of strays) {
      if (stray.epoch >= oldest) return
      strays.delete(conversation)
    }
  }

  function takeEntry(event: BusEvent & { kind: "entry" }): void {
    const { entry } = event
    const room = rooms.get(entry.conversation) ?? roomForJoined(entry)
    if (room) {
      room.known = Math.max(room.known, entry.seq)
      queue(room, event, [])
    } else noteStray(entry.conversation, entry.seq)
  }

  /** A user who is here and has just been added brings the conversation to this node. */
  function roomForJoined(entry: Entry): Room | undefined {
    if (entry.kind !== "members" || latecomers(entry).size === 0) return undefined
    const room = openRoom(entry.conversation, entry.seq - 1)
    // What follows it may have come here first, and found no room: the log is asked once.
    room.known = entry.seq + 1
    return room
  }

  function queue(room: Room, event: BusEvent, users: readonly string[]): void {
    // What does not fit is not lost: an entry is in the log ahead, and a receipt's present state is in the graph. A
    // change of members is always kept: it may bring in sessions that are in no room, and that nothing else would tell.
    const isMembers = event.kind === "entry" && event.entry.kind === "members"
    if (isMembers || (room.queue.length < ROOM_EVENTS && room.queuedBytes < ROOM_BYTES)) {
      room.queue.push({ event, users })
      room.queuedBytes += eventBytes(event)
    }
    if (!room.busy) pump(room)
  }

  /**
   * Works through a room's queue in the order of the log; runs on without a promise as long as nothing waits. A room
   * ends with its last session, but not before its queue: an entry in it may bring somebody in.
   */
  function pump(room: Room): void {
    room.busy = true
    let wait: Promise<void> | undefined
    while (!wait) {
      const next = room.queue[0]
      const isAhead = next?.event.kind === "entry" && next.event.entry.seq > room.tail + 1
      if (isAhead || (!next && room.sessions.size > 0 && room.known > room.tail)) wait = fill(room)
      else if (next) {
        unqueue(room)
        wait = pass(room, next.event, next.users)
      } else {
        room.busy = false
        closeIfEmpty(room)
        return
      }
    }
    void wait
      .then(
        () => {
          room.failingSince = undefined
        },
        (error) => {
          room.failingSince ??= performance.now()
          if (performance.now() - room.failingSince > ROOM_WAIT_MS) return giveUp(room, error)
          log.warn("a room waits for the store", { conversation: room.conversation, error })
          return Bun.sleep(FILL_RETRY_MS)
        },
      )
      .then(() => pump(room))
  }

  function unqueue(room: Room): void {
    const next = room.queue.shift()
    if (next) room.queuedBytes -= eventBytes(next.event)
  }

  /**
   * A room that cannot go on must not stand still: its sessions end, and resume from their positions. So do those that
   * it was about to let in, by what waits or by the entry at which it failed.
   */
  function giveUp(room: Room, error: unknown, failed?: BusEvent): void {
    log.error("a room cannot go on", { conversation: room.conversation, error })
    const sessions = new Set(room.sessions)
    for (const event of [failed, ...room.queue.map(({ event }) => event)]) {
      if (event?.kind !== "entry" || event.entry.kind !== "members") continue
      for (const session of latecomers(event.entry)) sessions.add(session)
    }
    noteStray(room.conversation, room.known)
    room.queue = []
    room.queuedBytes = 0
    room.failingSince = undefined
    room.known = room.tail
    endAll(sessions, unavailable("Something may have been missed: resume from your position."), log)
  }

  /** Reads the next entries from the log: the bus has brought a later one first, or one was not kept. */
  async function fill(room: Room): Promise<void> {
    const missed = await store.entries(room.conversation, room.tail, FILL_PAGE, REPLAY_PAGE_BYTES)
    for (const entry of missed) await pass(room, { kind: "entry", entry }, [])
    if (missed.length > 0) return lanesToDrain(room.lanes, FILL_PAGE)
    // The log has no such entry: whatever spoke of it must not keep the room waiting.
    room.known = room.tail
    const [first] = room.queue
    if (first?.event.kind === "entry" && first.event.entry.seq > room.tail + 1) {
      const { conversation, seq } = first.event.entry
      log.error("an event is not in the log", { conversation, seq })
      unqueue(room)
    }
  }

  /** Answers a promise where the log has to be read before the room can go on. Never throws. */
  function pass(room: Room, event: BusEvent, users: readonly string[]): undefined | Promise<void> {
    try {
      if (event.kind === "entry") return passEntry(room, event)
      tell(room, event, [...users].flatMap(sessionsIn(room)))
    } catch (error) {
      giveUp(room, error, event)
    }
    return undefined
  }

  function passEntry(room: Room, event: BusEvent & { kind: "entry" }): undefined | Promise<void> {
    const { entry } = event
    if (entry.seq <= room.tail) return entry.kind === "members" ? admit(room, entry) : undefined
    room.tail = entry.seq
    if (entry.kind === "message") return tell(room, event, room.sessions)
    for (const session of latecomers(entry)) enter(room, session)
    tell(room, event, room.sessions)
    for (const user of entry.left)
      for (const session of sessionsOf(user)) depart(room, session, entry)
    return undefined
  }

  /** The room does not wait for what is rendered: each document has its own lane. */
  function tell(room: Room, event: BusEvent, sessions: Iterable<Session>): undefined {
    void dispatch(event, sessions, options, room.lanes, () => {
      if (!room.busy) closeIfEmpty(room)
    })
  }

  /** The sessions of those who joined by the entry, apart from those who were told of it and have left since. */
  function latecomers(entry: MembersEntry): Set<Session> {
    const sessions = entry.joined.flatMap((user) => [...sessionsOf(user)])
    return new Set(sessions.filter((session) => isNews(entry, session)))
  }

  const isNews = ({ conversation, seq }: MembersEntry, session: Session) =>
    seq > (session.departed.get(conversation) ?? 0) &&
    !isReadLater(session, conversation, seq) &&
    !rooms.get(conversation)?.sessions.has(session)

  /**
   * Whether the session's membership was read when the log had come further than this change of members. A room that an
   * old joining opened comes by all later changes too: of a session that has been placed since then, they say nothing.
   */
  const isReadLater = (session: Session, conversation: string, seq: number) =>
    seq <= (session.covered.get(conversation) ?? 0)

  function depart(room: Room, session: Session, entry: MembersEntry): void {
    if (isReadLater(session, room.conversation, entry.seq)) return
    // A room may be behind what the session knows: it never goes back, or the next joining on the way would be news.
    const known = session.departed.get(room.conversation) ?? 0
    session.departed.set(room.conversation, Math.max(known, entry.seq))
    exit(room, session)
  }

  /**
   * Lets in those whose joining the room has not seen: somebody else opened it at a later entry, before this one came.
   * They are told what they have missed first; who cannot be told resumes from their position.
   */
  function admit(room: Room, joining: MembersEntry): Promise<void> | undefined {
    const late = latecomers(joining)
    if (late.size === 0) return undefined
    return tellMissed(room, joining, late).then(
      () => {
        for (const session of late) {
          if (session.phase !== "ended" && isNews(joining, session)) enter(room, session)
        }
      },
      (error) => {
        log.warn("what was missed before joining cannot be read", { error })
        endAll(late, unavailable("The missed events cannot be read."), log)
      },
    )
  }

  /** The room stands still meanwhile. Who leaves on the way is taken out, and who is placed by their registration. */
  async function tellMissed(room: Room, joining: MembersEntry, late: Set<Session>): Promise<void> {
    for (let position = joining.seq - 1; position < room.tail && late.size > 0; ) {
      const limit = Math.min(FILL_PAGE, room.tail - position)
      const missed = await store.entries(room.conversation, position, limit, REPLAY_PAGE_BYTES)
      if (missed.length === 0) throw new Error(`${room.conversation} ends at ${position}`)
      for (const entry of missed) {
        for (const session of late) if (!isNews(joining, session)) late.delete(session)
        tell(room, { kind: "entry", entry }, late)
        position = entry.seq
        if (entry.kind === "message") continue
        for (const session of late) {
          if (!entry.left.includes(session.user)) continue
          depart(room, session, entry)
          late.delete(session)
        }
      }
    }
  }

  const sessionsIn = (room: Room) => (user: string) =>
    [...sessionsOf(user)].filter((session) => room.sessions.has(session))

  return {
    take(event, users) {
      if (event.kind === "entry") return takeEntry(event)
      const room = rooms.get(event.conversation)
      if (room) queue(room, event, users)
    },

    place(session, conversation, head) {
      const room = rooms.get(conversation) ?? openRoom(conversation, head)
      if (room.tail > head) return false
      enter(room, session)
      // The replay reads up to the head; the room may still be on its way there.
      session.covered.set(conversation, head)
      room.known = Math.max(room.known, head, strays.get(conversation)?.seq ?? 0)
      if (!room.busy && room.known > room.tail) pump(room)
      return true
    },

    takeOut(session, conversation, until) {
      const room = rooms.get(conversation)
      if (room?.sessions.has(session) && room.tail < until) exit(room, session)
    },

    beginPlacing() {
      const began = ++epoch
      placings.add(began)
      return () => endPlacing(began)
    },

    settle(session) {
      for (const [conversation, upTo] of session.covered) {
        const room = rooms.get(conversation)
        if (!room?.sessions.has(session) || room.tail >= upTo) session.covered.delete(conversation)
      }
    },

    remove(session) {
      const entered = roomsOf.get(session)
      if (!entered) return
      roomsOf.delete(session)
      leave(session, entered)
    },

    placesOf: (session) => roomsOf.get(session)?.size ?? 0,

    get size() {
      return rooms.size
    },

    get strays() {
      return strays.size
    },

    queued() {
      const waiting = { all: 0, fullest: 0 }
      for (const { queue } of rooms.values()) {
        waiting.all += queue.length
        waiting.fullest = Math.max(waiting.fullest, queue.length)
      }
      return waiting
    },
  }
}
