import type { Socket } from "../../../testing/socket.ts"
import type { Random } from "../random.ts"
import type { Person, WireEntry } from "./person.ts"

/** What makes one reader differ from another. */
export interface Manner {
  /** Resumes from its positions; or hears only what happens while it is there. */
  resumes: boolean
  /** Asks for names, too, so that each event needs auth. */
  names: boolean
}

const events = (names: boolean) => `subscription($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on Ready { recovered reload { id } }
    ... on LogEvent { conversation { id } seq by { id ${names ? "name" : ""} } }
    ... on MessageSent { message { id text } }
    ... on MembersChanged { joined { id } left { id } }
    ... on ReceiptMoved { conversation { id } user { id } delivered read }
  }
}`

type WireEvent = { __typename: string; conversation: { id: string } } & WireEntry & {
    recovered: boolean
    reload: { id: string }[]
    user: { id: string }
    delivered: number
    read: number
  }

let subscriptions = 0

/** One device that reads `events`, across interruptions, by the rules of docs/protocol.md. */
export class Reader {
  /** How far it has read each conversation. */
  readonly positions = new Map<string, number>()
  /** Since `Ready`, and until the subscription ends. */
  live = false
  /** Gone, or deaf, of its own will. */
  isAway = false
  /** Conversations that are being loaded anew, on behalf of the present subscription. */
  private readonly loading = new Set<string>()
  /** The present subscription; 0 where there is none. */
  private current = 0
  private socket: Socket | undefined
  private stopped = false
  private back = Promise.resolve()

  constructor(
    readonly person: Person,
    readonly name: string,
    readonly manner: Manner,
    /** Where it connects to. */
    private readonly gateways: readonly string[],
    private readonly random: Random,
  ) {}

  /** Reads until `stop`. */
  async run(): Promise<void> {
    for (let wait = 50; !this.stopped; ) {
      await this.back
      const began = performance.now()
      const why = await this.once()
      if (why.startsWith("4403")) await this.person.account.renew()
      this.live = false
      wait = performance.now() - began > 1_000 ? 50 : Math.min(wait * 2, 1_000)
      if (!this.stopped) await Bun.sleep(wait * this.random.between(0.5, 1))
    }
  }

  /** Does something of its own will that keeps it from hearing; resolves once it may hear again. */
  async away(meanwhile: () => Promise<void>): Promise<void> {
    const { recorder } = this.person.world
    this.isAway = true
    recorder.write({ k: "away", t: recorder.now(), reader: this.name })
    this.back = meanwhile().finally(() => {
      this.isAway = false
      recorder.write({ k: "back", t: recorder.now(), reader: this.name })
    })
    await this.back
  }

  /** The connection ends; `run` makes another one. */
  hangUp(roughly: boolean): void {
    if (roughly) this.socket?.hangUp()
    else this.socket?.close()
  }

  stop(): void {
    this.stopped = true
    this.socket?.close()
  }

  /** One connection with its subscription; resolves with why it ended. */
  private async once(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const socket = this.person.account.connect(this.random.pick(this.gateways), (code, reason) =>
      resolve(`${code} ${reason}`),
    )
    this.socket = socket
    socket.ready.then(
      () => this.subscribe(socket),
      () => {},
    )
    return promise
  }

  private subscribe(socket: Socket): void {
    const { recorder } = this.person.world
    const { resumes, names } = this.manner
    subscriptions += 1
    const sub = subscriptions
    this.current = sub
    this.loading.clear()
    const after = resumes ? Object.fromEntries(this.positions) : null
    const { name: reader } = this
    recorder.write({ k: "open", t: recorder.now(), sub, reader, who: this.person.name, after })
    const positions = after && Object.entries(after).map(([c, seq]) => ({ conversation: c, seq }))
    let over = false
    const end = (why: string) => {
      if (over) return
      over = true
      if (this.current === sub) this.current = 0
      recorder.write({ k: "close", t: recorder.now(), sub, why: why.slice(0, 200) })
      socket.close()
    }
    const next = (body: unknown) => {
      if (over) return
      const { data, errors } = body as { data?: { events: WireEvent }; errors?: unknown }
      if (errors || !data) end(`an event with errors: ${JSON.stringify(errors)}`)
      else this.take(sub, data.events)
    }
    const { extensions } = this.person.account
    socket.subscribe(events(names), { after: positions }, { next, over: end }, extensions)
  }

  private take(sub: number, event: WireEvent): void {
    const { recorder, nameOf } = this.person.world
    const t = recorder.now()
    if (event.__typename === "Ready") {
      const reload = event.reload.map(({ id }) => id)
      recorder.write({ k: "ready", t, sub, recovered: event.recovered, reload })
      this.live = true
      for (const conversation of reload) void this.reload(conversation, sub)
      return
    }
    const conversation = event.conversation.id
    if (event.__typename === "ReceiptMoved") {
      const { delivered, read } = event
      const member = nameOf(event.user.id)
      recorder.write({ k: "receipt", t, sub, conversation, member, delivered, read })
      return
    }
    const entry = this.person.entry(event)
    recorder.write({ k: "entry", t, sub, conversation, ...entry })
    if (!this.loading.has(conversation)) this.positions.set(conversation, entry.seq)
  }

  /**
   * Loads what was missed for too long: what comes meanwhile is part of it, or follows it. Where the subscription ends
   * before all of it is there, nothing has been gained: the next one resumes from where this one did.
   */
  private async reload(conversation: string, sub: number): Promise<void> {
    if (this.loading.has(conversation)) return
    this.loading.add(conversation)
    for (let position = this.positions.get(conversation) ?? 0; !this.stopped; ) {
      const page = await this.person.page(conversation, position, sub)
      if (this.current !== sub) return
      if ("data" in page) {
        position = page.data.entries.at(-1)?.seq ?? position
        if (position < page.data.head) continue
        this.positions.set(conversation, position)
        break
      }
      // A person who has left meanwhile has nothing to load.
      if ("code" in page && page.code === "NOT_FOUND") break
      await Bun.sleep(200)
    }
    this.loading.delete(conversation)
  }
}
