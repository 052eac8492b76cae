import { buildSubgraphSchema } from "@apollo/subgraph"
import typeDefs from "@parley/chat/graphql/schema.graphql" with { type: "text" }
import { publicResult } from "@parley/link/graphql-errors.ts"
import { selectsMarked } from "@parley/link/marked-fields.ts"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import type { BunSocket } from "@parley/link/socket.ts"
import { type Call, createSubgraph, type SubscriptionRequest } from "@parley/link/subgraph.ts"
import { badInput, notFound, unauthenticated } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { TokenVerifier } from "@parley/platform/tokens.ts"
import { type ExecutionResult, execute, parse, print } from "graphql"
import { ALICE, BOB, SECRET } from "./fake-auth.ts"

const AT = "2026-01-01T00:00:00Z"

interface Message {
  id: string
  seq: number
  sender: string
  text: string
}

export type FakeEvent = { __typename: string } & Record<string, unknown>

/** What equal nodes have in common. */
export interface FakeStore {
  messages: Message[]
  /** Every event that has a seq: a subscription with a position begins with those after it. */
  history: FakeEvent[]
}

/** The whole schema of chat over one conversation of Alice and Bob in memory; a test says which events happen. */
export async function startFakeChat(options: {
  tokens: TokenVerifier
  log: Logger
  port?: number
  store?: FakeStore
  /** What it says of the nodes that there are; it is an older version where this is absent. */
  topology?: () => unknown
}) {
  const { messages, history } = options.store ?? { messages: [], history: [] }
  const subscriptions = new Set<SubscriptionRequest<Call>>()
  const knobs = {
    calls: [] as Call[],
    /** Documents that were subscribed with, and the variables. */
    subscribed: [] as { document: string; variables: unknown; user: string | undefined }[],
    /** How often an event was executed. */
    executions: 0,
    /** Messages are stored, and their answers wait for this. */
    gate: undefined as Promise<void> | undefined,
    /** The conversation is read, and its answer waits for this. */
    reading: undefined as Promise<void> | undefined,
    /** The gateway's connections, by what they carry. */
    sockets: new Map<string, BunSocket>(),
  }

  const me = (user: string) => ({
    user: { __typename: "User", id: user },
    role: "MEMBER",
    joinedAt: AT,
    delivered: 0,
    read: 0,
  })
  const viewer = (call: Call) => {
    if (!call.viewer) throw unauthenticated()
    return call.viewer.user
  }
  const pageInfo = { hasNextPage: false, hasPreviousPage: false }
  const connection = (nodes: unknown[]) => ({
    edges: nodes.map((node, at) => ({ cursor: String(at), node })),
    pageInfo,
    totalCount: nodes.length,
  })
  const conversation = { id: "c1", kind: "DIRECT", title: null, createdAt: AT, head: 1 }
  const messageOf = ({ sender, ...message }: Message) => ({
    ...message,
    conversation,
    sender: { __typename: "User", id: sender },
    sentAt: AT,
    status: "SENT",
  })

  const resolvers = {
    Query: {
      conversations: () => connection([conversation]),
      conversation: async (_: unknown, { id }: { id: string }) => {
        await knobs.reading
        if (id !== conversation.id) throw notFound("conversation")
        return conversation
      },
      message: (_: unknown, { id }: { id: string }) => {
        const message = messages.find((message) => message.id === id)
        return message ? messageOf(message) : null
      },
    },
    Mutation: {
      async sendMessage(
        _: unknown,
        { input }: { input: { id: string; text: string } },
        call: Call,
      ) {
        if (input.text === "") throw badInput("input.text", "A message has 1 to 8,000 characters.")
        const seq = messages.length + 1
        const message = { id: input.id, text: input.text, seq, sender: viewer(call) }
        messages.push(message)
        await knobs.gate
        return messageOf(message)
      },
      markRead: (_: unknown, { seq }: { seq: number }, call: Call) => ({
        ...me(viewer(call)),
        delivered: seq,
        read: seq,
      }),
    },
    Conversation: {
      me: (_: unknown, _args: unknown, call: Call) => me(viewer(call)),
      unreadCount: (_: unknown, _args: unknown, call: Call) => viewer(call).length,
      members: () => connection([ALICE.id, BOB.id].map(me)),
      messages: () => connection(messages.map(messageOf)),
      lastMessage: () => (messages.length > 0 ? messageOf(messages.at(-1)!) : null),
      log: () => [],
    },
    Event: { __resolveType: ({ __typename }: FakeEvent) => __typename },
    LogEvent: { __resolveType: ({ __typename }: FakeEvent) => __typename },
  }
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers as never }])

  async function render({ args }: SubscriptionRequest<Call>, event: FakeEvent): Promise<string> {
    knobs.executions++
    const result = await execute({ ...args, rootValue: { events: event } })
    return JSON.stringify(publicResult(result as ExecutionResult, options.log))
  }

  /** Live is whoever has had all that happened: there is no turn of the event loop between the two. */
  async function open(
    subscription: SubscriptionRequest<Call>,
    isOver: () => boolean,
  ): Promise<void> {
    const { link, id, args } = subscription
    const [position] = (args.variableValues?.after ?? []) as { seq: number }[]
    let next = position ? position.seq : history.length
    while (next < history.length && !isOver()) {
      link.deliver([id], await render(subscription, history[next++]!))
    }
    if (!isOver()) subscriptions.add(subscription)
  }

  const app = createSubgraph<Call>({
    schema,
    secret: SECRET,
    tokens: options.tokens,
    log: options.log,
    context(call) {
      knobs.calls.push(call)
      return call
    },
    watch: {
      opened({ data }) {
        const { message } = data
        data.message = (socket, frame) => {
          const { carries } = JSON.parse(String(frame)).payload ?? {}
          if (carries) knobs.sockets.set(carries, socket)
          data.message = message
          message(socket, frame)
        }
      },
      closed() {},
    },
    subscribe(subscription) {
      const { document, variableValues, contextValue } = subscription.args
      let over = false
      void open(subscription, () => over)
      knobs.subscribed.push({
        document: print(document),
        variables: variableValues,
        user: contextValue.viewer?.user,
      })
      return () => {
        over = true
        subscriptions.delete(subscription)
      }
    },
    ready: async () => {},
  })
    .get("/internal/nodes", ({ request }) => {
      if (!options.topology) return new Response(null, { status: 404 })
      if (request.headers.get(SECRET_HEADER) !== SECRET) return new Response(null, { status: 403 })
      return Response.json(options.topology())
    })
    .listen({ port: options.port ?? 0, hostname: "127.0.0.1" })

  return {
    port: app.server!.port!,
    knobs,
    subscriptions,
    /** How many gateways are connected. */
    links: () => app.server?.pendingWebSockets,
    /** Lets an event happen for all who subscribed, or for some: once for those who asked alike, as chat does. */
    async emit(
      event: FakeEvent,
      to: Iterable<SubscriptionRequest<Call>> = subscriptions,
    ): Promise<void> {
      const alike = Map.groupBy(to, (subscription) => {
        const { document } = subscription.args
        const shareable = !selectsMarked(schema, document, undefined, "viewer")
        return shareable ? print(document) : subscription
      })
      for (const group of alike.values()) {
        const payload = await render(group[0]!, event)
        for (const [link, on] of Map.groupBy(group, ({ link }) => link)) {
          link.deliver(
            on.map(({ id }) => id),
            payload,
          )
        }
      }
    },
    async stop() {
      if (app.server) await app.stop(true)
    },
  }
}
export type FakeChat = Awaited<ReturnType<typeof startFakeChat>>

/** A message that was sent, as an event. */
export const messageSent = (seq: number, text = `message ${seq}`, by = ALICE.id): FakeEvent => {
  const user = { __typename: "User", id: by }
  const conversation = { id: "c1", kind: "DIRECT", createdAt: AT }
  const message = {
    id: `m${seq}`,
    conversation,
    seq,
    sender: user,
    text,
    sentAt: AT,
    status: "SENT",
  }
  return { __typename: "MessageSent", conversation, seq, at: AT, by: user, message }
}
