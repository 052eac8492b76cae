import { REFRESH, SEND } from "../../testing/operations.ts"
import { Client, type Reply } from "./client.ts"
import { type Line, openLine } from "./line.ts"
import { type Account, signIn, signUp, startDirect } from "./people.ts"

/** What a pair of innocent people went through. Times in ms. */
export interface Suffered {
  sent: number
  /** From the first attempt to send to the event at the other end. */
  p50: number
  p99: number
  max: number
  /** For how long something that was sent more than 1 s ago had not arrived. */
  late: number
  /** How often the live subscription ended. */
  cuts: number
  /** The reasons of the cuts. */
  why: string[]
  /** Attempts to send that were refused or lost; each was repeated. By code. */
  refusedSends: Record<string, number>
  signIns: { tried: number; slowest: number; refused: Record<string, number> }
  /** Acknowledged and not in the log, or not at the other end. */
  lost: number
  /** More than once in the log, or at the other end. */
  doubled: number
  /** Heard out of the log's order. */
  disordered: number
}

interface Note {
  seq: number
  sentAt: number
  arrivedAt: number
}

const EVERY = 200
const SIGN_IN_EVERY = 1_500
const LATE = 1_000
const CATCH_UP_WITHIN = 20_000

const EVENTS = `subscription($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on Ready { recovered reload { id } }
    ... on LogEvent { conversation { id } seq by { id name } }
    ... on MessageSent { message { id text } }
  }
}`
const LOG = `query($c: ID!, $after: Int!) {
  conversation(id: $c) { head log(after: $after, first: 200) { seq ... on MessageSent { message { id } } } }
}`

type Logged = { conversation: { head: number; log: { seq: number; message?: { id: string } }[] } }
type Event = {
  __typename: string
  seq?: number
  conversation?: { id: string }
  message?: { id: string }
  reload?: { id: string }[]
}

const count = (into: Record<string, number>, { code = "?" }: Reply<unknown>) => {
  into[code] = (into[code] ?? 0) + 1
}

/** A sends B five messages a second; B reads a subscription that resumes by position; A signs in now and then. */
export class Pair {
  private notes = new Map<string, Note>()
  private heard: number[] = []
  private position = 0
  private cuts = 0
  private why: string[] = []
  private late = 0
  private doubled = 0
  private disordered = 0
  private refusedSends: Record<string, number> = {}
  private signIns = { tried: 0, slowest: 0, refused: {} as Record<string, number> }
  private sending = false
  private stopped = false
  private line: Line | undefined
  private readonly timers: Timer[] = []
  private readonly ready = Promise.withResolvers<void>()

  private constructor(
    private readonly urls: readonly string[],
    private readonly a: Account,
    private readonly b: Account,
    private readonly conversation: string,
  ) {}

  /** Makes both accounts and their conversation, and resolves once B hears events. */
  static async open(urls: readonly string[]): Promise<Pair> {
    const [first = "", other = first] = urls
    const [a, b] = [await signUp(first, "ana"), await signUp(other, "ben")]
    const pair = new Pair(urls, a, b, await startDirect(a, b.id))
    pair.position = 1
    void pair.listen()
    await pair.ready.promise
    let before = performance.now()
    pair.timers.push(
      setInterval(() => pair.sending && void pair.send(), EVERY),
      setInterval(() => pair.sending && void pair.signIn(), SIGN_IN_EVERY),
      setInterval(() => {
        const now = performance.now()
        if (pair.oldest(now) > LATE) pair.late += now - before
        before = now
      }, 50),
    )
    return pair
  }

  begin(): void {
    this.notes = new Map()
    this.cuts = this.late = this.doubled = this.disordered = 0
    this.why = []
    this.refusedSends = {}
    this.signIns = { tried: 0, slowest: 0, refused: {} }
    this.sending = true
  }

  /** Stops sending, waits until all has arrived or 20 s, and compares with the log. */
  async end(): Promise<Suffered> {
    this.sending = false
    const asked = performance.now()
    while (this.oldest(performance.now()) > 0 && performance.now() < asked + CATCH_UP_WITHIN) {
      await Bun.sleep(20)
    }
    const now = performance.now()
    const all = [...this.notes.values()]
    const times = all
      .map(({ sentAt, arrivedAt }) => (arrivedAt || now) - sentAt)
      .toSorted((x, y) => x - y)
    // Of some fifty messages the lower neighbour is taken: one that is late by more than a second is counted apart.
    const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0)
    const { lost, doubled } = await this.compare()
    return {
      ...{ sent: all.length, p50: at(0.5), p99: at(0.99), max: Math.round(times.at(-1) ?? 0) },
      ...{ late: Math.round(this.late), cuts: this.cuts, why: this.why, lost },
      ...{ refusedSends: this.refusedSends, signIns: this.signIns },
      ...{ doubled: this.doubled + doubled, disordered: this.disordered },
    }
  }

  close(): void {
    this.stopped = true
    for (const timer of this.timers) clearInterval(timer)
    this.line?.close()
  }

  private oldest(now: number): number {
    let oldest = 0
    for (const { sentAt, seq, arrivedAt } of this.notes.values()) {
      if (!arrivedAt || !seq) oldest = Math.max(oldest, now - sentAt)
    }
    return oldest
  }

  private async send(): Promise<void> {
    const id = Bun.randomUUIDv7()
    const note: Note = { seq: 0, sentAt: performance.now(), arrivedAt: 0 }
    const { notes } = this
    notes.set(id, note)
    const input = { id, conversation: this.conversation, text: `hello ${id}` }
    for (let wait = 100; !this.stopped; wait = Math.min(wait * 2, 1_000)) {
      const reply = await this.a.client.ask<{ sendMessage: { seq: number } }>(SEND, { input })
      if (!reply.code && reply.data) {
        note.seq = reply.data.sendMessage.seq
        return
      }
      count(this.refusedSends, reply)
      if (reply.code === "UNAUTHENTICATED") await this.a.client.ask(REFRESH)
      await Bun.sleep(reply.retryAfterMs ?? wait)
    }
  }

  /** On the device that they have, as people do. */
  private async signIn(): Promise<void> {
    const { signIns } = this
    signIns.tried += 1
    const device = new Client(this.urls[0]!, this.a.client.address)
    for (const [name, value] of this.a.client.cookies) device.cookies.set(name, value)
    const reply = await signIn(device, this.a.username)
    signIns.slowest = Math.max(signIns.slowest, Math.round(reply.took))
    if (reply.code) count(signIns.refused, reply)
    else await device.ask("mutation { signOut }")
  }

  private async listen(): Promise<void> {
    for (let turn = 0; !this.stopped; turn++) {
      const why = await this.listenOnce(this.urls[turn % this.urls.length]!)
      if (this.stopped) return
      this.cuts += 1
      this.why.push(why.slice(0, 120))
      if (/4403|UNAUTHENTICATED/.test(why)) await this.b.client.ask(REFRESH)
      await Bun.sleep(50)
    }
  }

  /** @returns why it ended */
  private async listenOnce(url: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const { address, token } = this.b.client
    try {
      this.line = await openLine({ url, address, token, cookies: this.b.client.cookies.header })
    } catch (error) {
      return (error as Error).message
    }
    const { line } = this
    const after = [{ conversation: this.conversation, seq: this.position }]
    line.subscribe(
      EVENTS,
      { after },
      {
        next: (payload) => void this.take(payload as { data?: { events: Event } }),
        over: resolve,
      },
    )
    const why = await promise
    line.close()
    return why
  }

  private async take({ data }: { data?: { events: Event } }): Promise<void> {
    if (!data) return
    const { __typename: kind, seq = 0, conversation, message, reload } = data.events
    if (kind === "Ready") {
      this.ready.resolve()
      if (reload?.some(({ id }) => id === this.conversation)) await this.load()
      return
    }
    if (conversation?.id !== this.conversation || seq === 0) return
    if (seq <= this.position) {
      if (message && this.notes.get(message.id)?.arrivedAt) this.doubled += 1
      return
    }
    if (seq !== this.position + 1) this.disordered += 1
    this.arrived(seq, message?.id)
  }

  private async load(): Promise<void> {
    for (;;) {
      const reply = await this.page(this.b, this.position)
      if (!reply) return
      for (const { seq, message } of reply.log) {
        if (seq > this.position) this.arrived(seq, message?.id)
      }
      if (this.position >= reply.head || reply.log.length === 0) return
    }
  }

  private arrived(seq: number, id: string | undefined): void {
    this.position = seq
    this.heard.push(seq)
    const note = id === undefined ? undefined : this.notes.get(id)
    if (note) note.arrivedAt = performance.now()
  }

  private async page(by: Account, after: number) {
    for (let tries = 0; tries < 50; tries++) {
      const reply = await by.client.ask<Logged>(LOG, { c: this.conversation, after })
      if (!reply.code && reply.data) return reply.data.conversation
      if (reply.code === "UNAUTHENTICATED") await by.client.ask(REFRESH)
      await Bun.sleep(reply.retryAfterMs ?? 300)
    }
    return undefined
  }

  /** What was acknowledged is in the log once, and was heard. */
  private async compare(): Promise<{ lost: number; doubled: number }> {
    const seqs = [...this.notes.values()].flatMap(({ seq }) => (seq > 0 ? [seq] : []))
    const logged = new Map<string, number>()
    const first = Math.min(...seqs)
    for (let after = first - 1; seqs.length > 0; ) {
      const page = await this.page(this.a, after)
      if (!page) break
      for (const { message } of page.log) {
        if (message) logged.set(message.id, (logged.get(message.id) ?? 0) + 1)
      }
      after = page.log.at(-1)?.seq ?? page.head
      if (after >= page.head) break
    }
    let [lost, doubled] = [0, 0]
    for (const [id, { seq, arrivedAt }] of this.notes) {
      const times = logged.get(id) ?? 0
      if (times > 1) doubled += 1
      if (seq > 0 && (times === 0 || !arrivedAt)) lost += 1
    }
    return { lost, doubled }
  }
}
