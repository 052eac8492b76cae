import type { Logger } from "../../service/log.ts"
import { type Bus, type BusEvent, partitionOf } from "../bus/bus.ts"
import type { Entry } from "../domain/entry.ts"
import type { MembershipView, Store } from "../store/store.ts"
import { dispatch } from "./dispatch.ts"
import type { Session } from "./session.ts"

/** The sessions of this node that belong to one conversation, and how far they have been told of its log. */
interface Room {
  readonly conversation: string
  /** Every entry up to here has been dispatched. */
  tail: number
  /** An entry up to here is known to be in the log. */
  known: number
  readonly sessions: Set<Session>
  /** What has arrived while an earlier event was still being rendered or read. */
  queue: { event: BusEvent; users: readonly string[] }[]
  busy: boolean
}

/** Beyond this, entries are read from the log again instead of being kept. */
const MAX_QUEUED = 1_000
const FILL_PAGE = 200
const FILL_RETRY_MS = 250

export interface Hub {
  /** Tells the sessions of this node of an event; `users` are those it concerns, as far as the event does not say so itself. */
  take(event: BusEvent, users: readonly string[]): void
  /**
   * Registers a session: from here on it gets, in its buffer, all that is new to its user. Resolves with the user's
   * memberships, each with how far the replay has to go: an entry is either covered by that or arrives live.
   */
  register(session: Session): Promise<Registered[]>
  /** The session is live: forgets what only its replay needed. */
  settle(session: Session): void
  unregister(session: Session): void
  readonly size: number
}

export interface Registered {
  membership: MembershipView
  /** The replay answers up to this seq; what comes after arrives live. */
  upTo: number
}

export interface HubOptions {
  store: Pick<Store, "entries" | "memberships">
  bus: Bus
  log: Logger
}

/**
 * Knows the sessions of this node. A room goes through its log strictly in order: an entry that arrives early makes the
 * room read what is missing, and who is in the room at an entry is who was a member at that entry's seq. So order,
 * absence of holes and of leaks do not depend on what the bus does.
 */
export function createHub({ store, bus, log }: HubOptions): Hub {
  const users = new Map<string, Set<Session>>()
  const rooms = new Map<string, Room>()
  const roomsOf = new Map<Session, Set<Room>>()
  const held = new Map<number, number>()
  /** While sessions register: the newest entry of conversations that had no room when it passed. */
  const strays = new Map<string, number>()
  let registering = 0

  function openRoom(conversation: string, tail: number): Room {
    const room: Room = {
      conversation,
      tail,
      known: tail,
      sessions: new Set(),
      queue: [],
      busy: false,
    }
    rooms.set(conversation, room)
    return room
  }

  function enter(room: Room, session: Session): void {
    room.sessions.add(session)
    roomsOf.get(session)?.add(room)
  }

  function exit(room: Room, session: Session): void {
    room.sessions.delete(session)
    roomsOf.get(session)?.delete(room)
    if (room.sessions.size === 0) rooms.delete(room.conversation)
  }

  const sessionsOf = (user: string): Iterable<Session> => users.get(user) ?? []

  function takeEntry(event: BusEvent & { kind: "entry" }): void {
    const { entry } = event
    const room = rooms.get(entry.conversation) ?? roomForJoined(entry)
    if (!room) {
      if (registering > 0) {
        strays.set(entry.conversation, Math.max(entry.seq, strays.get(entry.conversation) ?? 0))
      }
      return
    }
    room.known = Math.max(room.known, entry.seq)
    queue(room, event, [])
  }

  /** A user who is here and has just been added brings the conversation to this node. */
  function roomForJoined(entry: Entry): Room | undefined {
    if (entry.kind !== "members" || !entry.joined.some((user) => users.has(user))) return undefined
    return openRoom(entry.conversation, entry.seq - 1)
  }

  function queue(room: Room, event: BusEvent, users: readonly string[]): void {
    // What does not fit is not lost: an entry is in the log, and a receipt's present state is in the graph.
    if (room.queue.length < MAX_QUEUED) room.queue.push({ event, users })
    if (!room.busy) pump(room)
  }

  /** Works through a room's queue in the order of the log; runs on without a promise as long as nothing waits. */
  function pump(room: Room): void {
    for (;;) {
      const next = room.queue[0]
      if (!next) {
        if (room.known > room.tail) pause(room, fill(room))
        return
      }
      if (next.event.kind === "entry" && next.event.entry.seq > room.tail + 1) {
        pause(room, fill(room))
        return
      }
      room.queue.shift()
      const sent = pass(room, next.event, next.users)
      if (sent) {
        pause(room, sent)
        return
      }
    }
  }

  function pause(room: Room, until: Promise<void>): void {
    room.busy = true
    void until
      .catch((error) => {
        log.warn("a room waits for the store", { conversation: room.conversation, error })
        return Bun.sleep(FILL_RETRY_MS)
      })
      .then(() => {
        room.busy = false
        if (rooms.get(room.conversation) === room) pump(room)
      })
  }

  /** Reads the next entries from the log: the bus has brought a later one first, or one was not kept. */
  async function fill(room: Room): Promise<void> {
    const missed = await store.entries(room.conversation, room.tail, FILL_PAGE)
    for (const entry of missed) await pass(room, { kind: "entry", entry }, [])
    if (missed.length > 0) return
    // The log has no such entry: whatever spoke of it must not keep the room waiting.
    room.known = room.tail
    const [first] = room.queue
    if (first?.event.kind === "entry" && first.event.entry.seq > room.tail + 1) {
      log.error("an event is not in the log", { entry: first.event.entry })
      room.queue.shift()
    }
  }

  function pass(room: Room, event: BusEvent, users: readonly string[]): void | Promise<void> {
    if (event.kind !== "entry") return dispatch(event, [...users].flatMap(sessionsIn(room)), log)
    const { entry } = event
    if (entry.seq !== room.tail + 1) return
    room.tail = entry.seq
    if (entry.kind === "message") return dispatch(event, room.sessions, log)
    for (const user of entry.joined) for (const session of sessionsOf(user)) enter(room, session)
    const sent = dispatch(event, room.sessions, log)
    for (const user of entry.left) for (const session of sessionsOf(user)) exit(room, session)
    return sent
  }

  const sessionsIn = (room: Room) => (user: string) =>
    [...sessionsOf(user)].filter((session) => room.sessions.has(session))

  /** False where the room is ahead of what was read of the membership: it must be read again. */
  function place(session: Session, membership: MembershipView): boolean {
    const { conversation, head } = membership
    const room = rooms.get(conversation) ?? openRoom(conversation, head)
    if (room.tail > head) return false
    enter(room, session)
    // The replay reads up to the head; the room may still be on its way there.
    session.covered.set(conversation, head)
    const stray = strays.get(conversation) ?? 0
    room.known = Math.max(room.known, head, stray)
    if (!room.busy && room.known > room.tail) pump(room)
    return true
  }

  async function placeAll(session: Session): Promise<Registered[]> {
    const placed = new Map<string, MembershipView>()
    for (;;) {
      const memberships = await store.memberships(session.user)
      if (session.phase === "ended") return []
      let behind = false
      for (const membership of memberships) {
        if (placed.has(membership.conversation)) continue
        if (membership.until !== null || place(session, membership)) {
          placed.set(membership.conversation, membership)
        } else behind = true
      }
      if (!behind) break
    }
    return [...placed.values()].map((membership) => ({
      membership,
      upTo: membership.until ?? membership.head,
    }))
  }

  async function hold(partition: number): Promise<void> {
    const holders = held.get(partition) ?? 0
    held.set(partition, holders + 1)
    await bus.hold(partition)
  }

  function release(partition: number): void {
    const holders = (held.get(partition) ?? 1) - 1
    if (holders > 0) held.set(partition, holders)
    else {
      held.delete(partition)
      bus.release(partition)
    }
  }

  return {
    take(event, users) {
      if (event.kind === "entry") return takeEntry(event)
      const room = rooms.get(event.conversation)
      if (room) queue(room, event, users)
    },

    async register(session) {
      const mine = users.get(session.user)
      if (mine) mine.add(session)
      else users.set(session.user, new Set([session]))
      roomsOf.set(session, new Set())
      registering += 1
      try {
        await hold(partitionOf(session.user, bus.partitions))
        return await placeAll(session)
      } finally {
        registering -= 1
        if (registering === 0) strays.clear()
      }
    },

    settle(session) {
      for (const [conversation, upTo] of session.covered) {
        const room = rooms.get(conversation)
        if (!room || room.tail >= upTo) session.covered.delete(conversation)
      }
    },

    unregister(session) {
      const joined = roomsOf.get(session)
      if (!joined) return
      for (const room of joined) exit(room, session)
      roomsOf.delete(session)
      const mine = users.get(session.user)
      mine?.delete(session)
      if (mine?.size === 0) users.delete(session.user)
      release(partitionOf(session.user, bus.partitions))
    },

    get size() {
      return roomsOf.size
    },
  }
}
