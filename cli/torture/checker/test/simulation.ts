import type { Entry, Line, StoreLine } from "../../history/format.ts"
import { createRandom, type Random } from "../../random.ts"

export interface History {
  lines: Line[]
  store: StoreLine[]
}

interface Member {
  delivered: number
  read: number
}

interface Device {
  reader: string
  who: string
  resumes: boolean
  sub: number | undefined
  position: number | undefined
  /** What of the log it has heard since it subscribed, where it resumes nothing. */
  next: number
  /** For who was removed: what they may still hear. */
  upTo: number
}

const CONVERSATION = "c1"
const PEOPLE = ["ana", "ben", "cem", "dora"]
/** Comes and goes. */
const MOVER = "dora"

/**
 * A history as a system without a fault would have left it: a model of one conversation with people who send, some of
 * them again, read on devices that come and go, mark what they have read, are added and removed, and look.
 */
export function simulate(seed: string, steps = 120): History {
  const random: Random = createRandom(seed)
  const lines: Line[] = []
  const log: Entry[] = []
  const members = new Map<string, Member>()
  let now = 0
  let ids = 0
  let subs = 0
  const tick = () => {
    now += 1 + random.below(20)
    return now
  }
  const head = () => log.length

  function span(who: string) {
    return { t: tick(), done: tick(), who }
  }

  function change(joined: string[], left: string[]): void {
    const seq = head() + 1
    log.push({ seq, by: "ana", members: { joined, left } })
    for (const who of joined) members.set(who, { delivered: seq, read: seq })
    for (const who of left) members.delete(who)
    for (const device of devices) {
      if (joined.includes(device.who)) device.upTo = Number.POSITIVE_INFINITY
      if (left.includes(device.who)) device.upTo = seq
    }
  }

  const devices: Device[] = PEOPLE.map((who, index) => ({
    ...{ reader: `${who}'s phone`, who, resumes: index !== 1, sub: undefined },
    ...{ position: undefined, next: 1, upTo: 0 },
  }))
  const windowFrom = (who: string) =>
    log.findLast(({ members }) => members?.joined.includes(who))?.seq ?? 0

  function open(device: Device): void {
    subs += 1
    device.sub = subs
    const { reader, who, resumes, position } = device
    const known: Record<string, number> = position === undefined ? {} : { [CONVERSATION]: position }
    const after = resumes ? known : null
    lines.push({ k: "open", t: tick(), sub: subs, reader, who, after })
    if (resumes) deliver(device, head())
    else device.next = head() + 1
    lines.push({ k: "ready", t: tick(), sub: subs, recovered: true, reload: [] })
  }

  /** What it is told up to some seq; who has come back is told from their return on. */
  function deliver(device: Device, upTo: number): void {
    const { who, resumes, sub } = device
    for (;;) {
      const before = resumes ? (device.position ?? 0) : device.next - 1
      // A former member who never heard of the conversation is told nothing.
      if (!members.has(who) && device.position === undefined) return
      const last = Math.min(upTo, device.upTo)
      const seq = Math.max(before + 1, resumes ? windowFrom(who) : 0)
      if (seq > last) return
      lines.push({ k: "entry", t: tick(), sub: sub!, conversation: CONVERSATION, ...log[seq - 1]! })
      device.position = seq
      device.next = seq + 1
    }
  }

  function send(who: string): void {
    ids += 1
    const [id, text] = [`m${ids}`, `${who} says ${ids}`]
    const message = { conversation: CONVERSATION, id, text }
    if (random.chance(0.1))
      lines.push({ k: "send", ...span(who), ...message, answer: { lost: "gone" } })
    const seq = head() + 1
    const asked = tick()
    log.push({ seq, by: who, message: { id, text } })
    const answer = { seq, id, text, by: who }
    lines.push({ k: "send", t: asked, done: tick(), who, ...message, answer })
    if (random.chance(0.2)) lines.push({ k: "send", ...span(who), ...message, answer })
    if (random.chance(0.1)) {
      const other = { ...message, text: "something else" }
      lines.push({ k: "send", ...span(who), ...other, answer: { code: "CONFLICT" } })
    }
  }

  function look(who: string): void {
    const asked = span(who)
    const member = members.get(who)
    const answer = member ? { ...member, ...state(who, member.read) } : { code: "NOT_FOUND" }
    lines.push({ k: "look", ...asked, conversation: CONVERSATION, answer })
  }

  function state(who: string, read: number) {
    const messages = log.slice(windowFrom(who) - 1).filter(({ message }) => message)
    const unread = messages.filter(({ seq, by }) => seq > read && by !== who).length
    return { head: head(), unread, last: messages.at(-1)?.seq ?? null }
  }

  function mark(who: string): void {
    const member = members.get(who)
    if (!member) return
    const seq = 1 + random.below(head())
    const mark = random.pick(["delivered", "read"] as const)
    const asked = span(who)
    member.delivered = Math.max(member.delivered, seq)
    if (mark === "read") member.read = Math.max(member.read, seq)
    lines.push({
      k: "mark",
      ...asked,
      conversation: CONVERSATION,
      mark,
      seq,
      answer: { ...member },
    })
  }

  for (const who of [...PEOPLE, "mallory"]) {
    lines.push({ k: "person", t: tick(), who, outsider: who === "mallory" })
  }
  lines.push({
    ...{ k: "group", ...span("ana"), conversation: CONVERSATION },
    members: ["ana", "ben", "cem"],
  })
  change(["ana", "ben", "cem"], [])

  for (let step = 0; step < steps; step++) {
    const device = random.pick(devices)
    const who = random.pick([...members.keys()])
    const what = random.below(10)
    if (what < 3) send(who)
    else if (what < 6) {
      if (device.sub === undefined) open(device)
      else deliver(device, head())
    } else if (what === 6 && device.sub !== undefined) {
      lines.push({ k: "close", t: tick(), sub: device.sub, why: "hung up" })
      device.sub = undefined
    } else if (what === 7) mark(who)
    else if (what === 8) look(random.pick([...PEOPLE, "mallory"]))
    else if (random.chance(0.3)) {
      const { t } = span("ana")
      const joins = !members.has(MOVER)
      change(joins ? [MOVER] : [], joins ? [] : [MOVER])
      const done = tick()
      lines.push({
        ...{ k: "change", t, done, who: "ana", conversation: CONVERSATION, answer: { ok: true } },
        ...(joins ? { add: [MOVER] } : { remove: MOVER }),
      })
      // Connected devices hear of it before anything else can happen to them.
      for (const device of devices) if (device.sub !== undefined) deliver(device, head())
    }
  }

  // The last words, with the bus away: everyone who is there hears them.
  lines.push({
    ...{ k: "fault", t: tick(), fault: 2, name: "broker away", target: "the broker" },
    alone: true,
  })
  for (const who of members.keys()) {
    send(who)
    for (const device of devices) if (device.sub !== undefined) deliver(device, head())
  }
  lines.push({ k: "healed", t: tick(), fault: 2 })
  lines.push({ k: "fault", t: tick(), fault: 1, name: "kill chat", target: "chat", alone: true })
  lines.push({ k: "healed", t: tick(), fault: 1 })
  for (const device of devices) {
    if (device.sub === undefined) open(device)
    deliver(device, head())
  }
  lines.push({ k: "quiet", t: tick() })
  for (const who of [...PEOPLE, "mallory"]) look(who)
  for (const who of members.keys()) {
    const entries = log.slice(windowFrom(who) - 1)
    const answer = { entries, head: head() }
    lines.push({ k: "page", ...span(who), conversation: CONVERSATION, after: 0, answer })
  }
  lines.push({ k: "asked", t: tick() })
  const store: StoreLine[] = log.map((entry) => ({
    ...{ k: "stored", conversation: CONVERSATION, ...entry },
  }))
  for (const [who, marks] of members) {
    store.push({ k: "member", conversation: CONVERSATION, who, ...marks })
  }
  return { lines, store }
}
