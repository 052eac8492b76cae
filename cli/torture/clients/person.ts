import type { Socket } from "../../../testing/socket.ts"
import { type Entry, type Failure, type Look, textMark } from "../history/format.ts"
import type { Random } from "../random.ts"
import { Account } from "./account.ts"
import type { Outcome } from "./outcome.ts"
import type { World } from "./world.ts"

const SEND = `mutation($input: SendMessageInput!) {
  sendMessage(input: $input) { id seq text sender { id } }
}`
const MARK = {
  delivered:
    "mutation($c: ID!, $seq: Int!) { mark: markDelivered(conversation: $c, seq: $seq) { delivered read } }",
  read: "mutation($c: ID!, $seq: Int!) { mark: markRead(conversation: $c, seq: $seq) { delivered read } }",
}
const ADD =
  "mutation($c: ID!, $users: [ID!]!) { addMembers(conversation: $c, users: $users) { id } }"
const REMOVE =
  "mutation($c: ID!, $user: ID!) { removeMember(conversation: $c, user: $user) { id } }"
const LOOK = `query($c: ID!) {
  conversation(id: $c) { head unreadCount me { delivered read } lastMessage { seq } }
}`
const PAGE = `query($c: ID!, $after: Int!) {
  conversation(id: $c) {
    head
    log(after: $after, first: 1000) {
      seq
      by { id }
      ... on MessageSent { message { id text } }
      ... on MembersChanged { joined { id } left { id } }
    }
  }
}`

/** An entry as the API gives it. */
export interface WireEntry {
  seq: number
  by: { id: string }
  message?: { id: string; text: string }
  joined?: { id: string }[]
  left?: { id: string }[]
}

export interface Note {
  conversation: string
  id: string
  text: string
}

export interface Page {
  entries: Entry[]
  head: number
}

/** Someone who uses Parley over both transports; whatever they do, and how it ended, goes into the history. */
export class Person {
  readonly account: Account
  private socket: Socket | undefined

  constructor(
    readonly name: string,
    readonly world: World,
    gateways: readonly string[],
    readonly random: Random,
  ) {
    this.account = new Account(name, gateways, random.fork("account"))
  }

  async send(note: Note): Promise<Outcome<{ seq: number }>> {
    const { recorder } = this.world
    const t = recorder.now()
    const outcome = await this.ask<{
      sendMessage: { id: string; seq: number; text: string; sender: { id: string } }
    }>(SEND, { input: note })
    const answer =
      "data" in outcome
        ? {
            seq: outcome.data.sendMessage.seq,
            id: outcome.data.sendMessage.id,
            text: textMark(outcome.data.sendMessage.text),
            by: this.world.nameOf(outcome.data.sendMessage.sender.id),
          }
        : failure(outcome)
    recorder.write({
      ...{ k: "send", ...this.since(t), conversation: note.conversation, id: note.id },
      ...{ text: textMark(note.text), answer },
    })
    return "data" in outcome ? { data: { seq: outcome.data.sendMessage.seq } } : outcome
  }

  async mark(conversation: string, mark: "delivered" | "read", seq: number): Promise<void> {
    const t = this.world.recorder.now()
    const outcome = await this.ask<{ mark: { delivered: number; read: number } }>(MARK[mark], {
      c: conversation,
      seq,
    })
    const answer = "data" in outcome ? outcome.data.mark : failure(outcome)
    this.world.recorder.write({ k: "mark", ...this.since(t), conversation, mark, seq, answer })
  }

  add(conversation: string, add: string[]): Promise<Outcome<unknown>> {
    const users = add.map((name) => this.world.idOf(name))
    return this.change(conversation, { add }, ADD, { c: conversation, users })
  }

  remove(conversation: string, remove: string): Promise<Outcome<unknown>> {
    const user = this.world.idOf(remove)
    return this.change(conversation, { remove }, REMOVE, { c: conversation, user })
  }

  private async change(
    conversation: string,
    what: { add?: string[]; remove?: string },
    query: string,
    variables: object,
  ): Promise<Outcome<unknown>> {
    const t = this.world.recorder.now()
    const outcome = await this.ask(query, variables)
    const answer = "data" in outcome ? { ok: true as const } : failure(outcome)
    this.world.recorder.write({ k: "change", ...this.since(t), conversation, ...what, answer })
    return outcome
  }

  async look(conversation: string): Promise<Outcome<Look>> {
    const t = this.world.recorder.now()
    const outcome = await this.ask<{
      conversation: {
        head: number
        unreadCount: number
        me: { delivered: number; read: number }
        lastMessage: { seq: number } | null
      }
    }>(LOOK, { c: conversation })
    const seen = lookOf(outcome)
    const answer = "data" in seen ? seen.data : failure(seen)
    this.world.recorder.write({ k: "look", ...this.since(t), conversation, answer })
    return seen
  }

  /** The entries after a seq, a thousand at most, over HTTP. */
  async page(conversation: string, after: number, sub?: number): Promise<Outcome<Page>> {
    const t = this.world.recorder.now()
    const outcome = await this.account.ask<{ conversation: { head: number; log: WireEntry[] } }>(
      PAGE,
      { c: conversation, after },
    )
    const page: Outcome<Page> =
      "data" in outcome
        ? {
            data: {
              entries: outcome.data.conversation.log.map((entry) => this.entry(entry)),
              head: outcome.data.conversation.head,
            },
          }
        : outcome
    const answer = "data" in page ? page.data : failure(page)
    this.world.recorder.write({ k: "page", ...this.since(t), conversation, after, sub, answer })
    return page
  }

  /** An entry as the history has it. */
  entry({ seq, by, message, joined, left }: WireEntry): Entry {
    const { nameOf } = this.world
    const place = { seq, by: nameOf(by.id) }
    if (message) return { ...place, message: { id: message.id, text: textMark(message.text) } }
    const names = (users: { id: string }[] = []) => users.map(({ id }) => nameOf(id))
    return { ...place, members: { joined: names(joined), left: names(left) } }
  }

  /** Over HTTP, or over a socket of one's own where that is up; one is opened for the next time. */
  private async ask<Data>(query: string, variables: object): Promise<Outcome<Data>> {
    if (this.random.chance(0.5)) return this.account.ask<Data>(query, variables)
    if (!this.socket) {
      this.openSocket()
      return this.account.ask<Data>(query, variables)
    }
    const outcome = await this.account.askOver<Data>(this.socket, query, variables)
    if ("code" in outcome && outcome.code === "UNAUTHENTICATED") await this.account.renew()
    return outcome
  }

  private openSocket(): void {
    const { account } = this
    const socket = account.connect(account.gateway(), (code) => {
      if (this.socket === socket) this.socket = undefined
      if (code === 4403) void account.renew()
    })
    socket.ready.then(
      () => {
        this.socket = socket
      },
      () => {},
    )
  }

  leave(): void {
    this.socket?.close()
  }

  private since(t: number) {
    return { t, done: this.world.recorder.now(), who: this.name }
  }
}

function lookOf(
  outcome: Outcome<{
    conversation: {
      head: number
      unreadCount: number
      me: { delivered: number; read: number }
      lastMessage: { seq: number } | null
    }
  }>,
): Outcome<Look> {
  if (!("data" in outcome)) return outcome
  const { head, unreadCount: unread, me, lastMessage } = outcome.data.conversation
  return { data: { head, ...me, unread, last: lastMessage?.seq ?? null } }
}

const failure = (outcome: Exclude<Outcome<unknown>, { data: unknown }>): Failure =>
  "code" in outcome ? { code: outcome.code } : { lost: outcome.lost }
