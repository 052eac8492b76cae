import type { Client } from "graphql-ws"
import { until } from "./until.ts"

/** Shared by all readers: no field of it depends on who asks. */
const EVENTS = `subscription Events($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on Ready { recovered reload { id } }
    ... on MessageSent { conversation { id } seq message { id text sender { id username name } } }
    ... on MembersChanged { conversation { id } seq joined { id name } left { id } }
    ... on ReceiptMoved { conversation { id } user { id } delivered read }
  }
}`

export interface SeenEvent {
  __typename: string
  conversation?: { id: string }
  seq?: number
  message?: { id: string; text: string; sender: { id: string; username: string; name: string } }
  joined?: { id: string }[]
  left?: { id: string }[]
  recovered?: boolean
  user?: { id: string }
  delivered?: number
  read?: number
}

/** One reader of `events`: keeps what it has seen, and its positions, through every interruption. */
export class Reading {
  readonly events: SeenEvent[] = []
  /** GraphQL errors that ended the subscription. */
  readonly errors: unknown[] = []
  /** Close codes of the socket, in order. */
  readonly closed: number[] = []

  constructor(
    private readonly client: Client,
    readonly positions = new Map<string, number>(),
  ) {
    client.on("closed", (event) => void this.closed.push((event as CloseEvent).code))
    this.subscribe()
  }

  private subscribe(): void {
    const { positions } = this
    const payload = {
      query: EVENTS,
      // Read anew at every reconnect: the positions of that moment.
      get variables() {
        return { after: [...positions].map(([conversation, seq]) => ({ conversation, seq })) }
      },
    }
    this.client.subscribe<{ events: SeenEvent }>(payload, {
      next: ({ data }) => data && this.take(data.events),
      error: (error) => {
        this.errors.push(error)
        const [first] = Array.isArray(error) ? error : []
        if (first?.extensions?.retryable) setTimeout(() => this.subscribe(), 100)
      },
      complete() {},
    })
  }

  private take(event: SeenEvent): void {
    this.events.push(event)
    if (event.seq !== undefined && event.conversation) {
      this.positions.set(event.conversation.id, event.seq)
    }
  }

  get readies(): number {
    return this.events.filter(({ __typename }) => __typename === "Ready").length
  }

  ready(): Promise<void> {
    return until(() => this.readies > 0, "Ready")
  }

  messages(conversation: string): string[] {
    return this.events.flatMap((event) =>
      event.message && event.conversation?.id === conversation ? [event.message.text] : [],
    )
  }

  /** The seqs of a conversation as they came. */
  seqs(conversation: string): number[] {
    return this.events.flatMap(({ seq, conversation: of }) =>
      seq !== undefined && of?.id === conversation ? [seq] : [],
    )
  }

  /** Breaks the connection without a word; the client comes back by itself. */
  interrupt(): void {
    this.client.terminate()
  }

  async stop(): Promise<void> {
    await this.client.dispose()
  }
}
