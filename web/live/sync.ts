import type { AnyVariables, Client, TypedDocumentNode } from "@urql/core"
import { backoff, pause } from "./backoff.ts"
import {
  Events,
  Log,
  Members,
  MoreConversations,
  OneConversation,
  type WireConversationPage,
  type WireEvent,
} from "./documents.ts"
import { LONGEST_PAGE, olderPage } from "./log.ts"
import type { Conversation, Entry } from "./model.ts"
import type { LiveStore, Need } from "./store.ts"
import { conversationOf, entryOf, membersOf, usersIn, usersOf } from "./wire.ts"

export interface Sync {
  /** Starts the live stream; returns what ends it. */
  start(): () => void
  /** Loads what a screen with this conversation needs: it, its newest page, all its members. */
  open(conversation: string): Promise<"here" | "absent" | "unreachable">
  /** Loads the page before the oldest loaded entry. */
  loadOlder(conversation: string): Promise<void>
  /** Does what the store has found to be missing; once at a time for each conversation. */
  satisfy(need: Need | undefined): void
}

export interface SyncOptions {
  client: Client
  store: LiveStore
  /** Where the list that came with the page goes on; null where it was complete. */
  moreAfter: string | null
  /** An entry or a conversation has arrived on this device: its watermark may move. */
  arrived(): void
}

/** Members that come with each conversation of the list: enough for the ticks of small groups. */
export const LIST_MEMBERS = 10
export const OPEN_MEMBERS = 100
export const LIST_PAGE = 30
/** The acknowledgement of one's own message may be ahead of the stream for a moment: that is no hole yet. */
const GAP_GRACE_MS = 400

/**
 * Keeps the store in step with the server. Three phases, and again after every interruption: the stream replays what
 * was missed since the store's positions, says Ready, and goes on live. What the stream cannot bring (holes, a
 * conversation not heard of, a replay that was too long, receipts) is fetched.
 */
export function createSync({ client, store, moreAfter, arrived }: SyncOptions): Sync {
  const busy = new Set<string>()
  let readyBefore = false

  async function ask<D, V extends AnyVariables>(document: TypedDocumentNode<D, V>, variables: V) {
    const { data, error } = await client.query(document, variables).toPromise()
    if (data === undefined || data === null) throw error ?? new Error("No answer.")
    return data
  }

  function satisfy(need: Need | undefined): void {
    if (!need || busy.has(need.conversation)) return
    busy.add(need.conversation)
    const work = { fill: closeGap, conversation: reload, count: recount }[need.need]
    untilDone(() => work(need.conversation)).finally(() => busy.delete(need.conversation))
  }

  async function closeGap(id: string): Promise<void> {
    await pause(GAP_GRACE_MS)
    for (;;) {
      const gap = store.get().conversations[id]
      if (!gap?.ahead.length) return
      const before = gap.position
      const entries = await log(id, before, LONGEST_PAGE)
      if (entries === undefined) return store.forget(id)
      store.fill(id, entries)
      arrived()
      // The server knows of no entries between: whatever is ahead came from somewhere else. Begin anew.
      if (store.get().conversations[id]?.position === before) return reload(id)
    }
  }

  /** Takes the server's picture of one conversation, and its newest page where one was loaded. */
  async function reload(id: string): Promise<void> {
    const known = store.get().conversations[id]
    const snapshot = await picture(id)
    if (!snapshot) return store.forget(id)
    store.adopt(snapshot, { reset: true })
    if (known?.entries.length) await loadPage(id)
    arrived()
  }

  /** A count is of use only together with the very log that it was taken from: else it is taken again. */
  async function recount(id: string): Promise<void> {
    const snapshot = await picture(id)
    if (!snapshot) return store.forget(id)
    if (snapshot.position !== store.get().conversations[id]?.position) throw new Error("Not yet.")
    store.adopt(snapshot)
  }

  async function picture(id: string): Promise<Conversation | undefined> {
    const { conversation } = await ask(OneConversation, { id, members: OPEN_MEMBERS })
    if (!conversation) return undefined
    store.addUsers(usersOf(conversation.members))
    return conversationOf(conversation, store.get().viewer.id)
  }

  async function loadPage(id: string): Promise<void> {
    const conversation = store.get().conversations[id]
    if (!conversation || conversation.complete) return
    const { after, first } = olderPage(conversation, store.get().viewer.id)
    const entries = await log(id, after, first)
    if (entries) store.prepend(id, entries, after)
  }

  /** Undefined where the conversation does not exist for the viewer. */
  async function log(id: string, after: number, first: number): Promise<Entry[] | undefined> {
    const { conversation } = await ask(Log, { id, after, first })
    if (!conversation) return undefined
    store.addUsers(conversation.log.flatMap(usersIn))
    return conversation.log.map(entryOf)
  }

  async function loadMembers(id: string): Promise<void> {
    let after: string | null = null
    const viewer = store.get().viewer.id
    for (;;) {
      const data: Awaited<ReturnType<typeof askMembers>> = await askMembers(id, after)
      if (!data) return
      store.addUsers(usersOf(data))
      const { [viewer]: _own, ...others } = membersOf(data)
      store.addMembers(id, others)
      if (!data.pageInfo.hasNextPage) return
      after = data.pageInfo.endCursor
    }
  }
  const askMembers = async (id: string, after: string | null) =>
    (await ask(Members, { id, first: OPEN_MEMBERS, after })).conversation?.members

  function adoptPage(page: WireConversationPage): void {
    const viewer = store.get().viewer.id
    for (const { node } of page.edges) {
      store.addUsers(usersOf(node.members))
      store.adopt(conversationOf(node, viewer))
    }
    arrived()
  }

  /** Until every conversation has a position: one that is not named to `events` would be replayed from its start. */
  async function loadRest(): Promise<void> {
    let after = moreAfter
    while (after !== null) {
      const page: WireConversationPage = (
        await ask(MoreConversations, { first: LIST_PAGE, after, members: LIST_MEMBERS })
      ).conversations
      adoptPage(page)
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
      moreAfter = after
    }
  }

  /** Receipts are not replayed: after an interruption the newest conversations' are fetched. */
  const loadReceipts = async () =>
    adoptPage(
      (await ask(MoreConversations, { first: LIST_PAGE, after: null, members: LIST_MEMBERS }))
        .conversations,
    )

  function receive(event: WireEvent): void {
    switch (event.__typename) {
      case "Ready":
        for (const { id } of event.reload) satisfy({ need: "conversation", conversation: id })
        if (readyBefore) untilDone(loadReceipts)
        readyBefore = true
        arrived()
        return
      case "ReceiptMoved":
        satisfy(store.receipt(event.conversation.id, event.user.id, event))
        return
      default:
        // A kind of event that this version does not know and that is not of the log has nothing to say here.
        if (typeof event.seq !== "number") return
        store.addUsers(usersIn(event))
        satisfy(store.receive(event.conversation.id, entryOf(event)))
        arrived()
    }
  }

  return {
    start() {
      const stopped = new AbortController()
      const run = async () => {
        await untilDone(loadRest, stopped.signal)
        // A stream that the server ends, by a refusal or for good, is begun again; a lost socket never gets here.
        for (let attempt = 0; !stopped.signal.aborted; attempt += 1) {
          const begun = Date.now()
          await stream(client, store, receive, stopped.signal)
          if (Date.now() - begun > 60_000) attempt = 0
          if (!stopped.signal.aborted) await pause(backoff(attempt), stopped.signal)
        }
      }
      void run()
      return () => stopped.abort()
    },
    async open(id) {
      try {
        const known = store.get().conversations[id]
        if (!known || known.left) {
          const snapshot = await picture(id)
          if (!snapshot) return "absent"
          store.adopt(snapshot)
        }
        if (!store.get().conversations[id]?.entries.length) await loadPage(id)
        const { members = {}, memberCount = 0 } = store.get().conversations[id] ?? {}
        if (Object.keys(members).length < memberCount) await loadMembers(id)
        arrived()
        return "here"
      } catch {
        return "unreachable"
      }
    },
    loadOlder: (id) => loadPage(id),
    satisfy,
  }
}

/** One run of the subscription; resolves when it ends. */
function stream(
  client: Client,
  store: LiveStore,
  receive: (event: WireEvent) => void,
  stop: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const { unsubscribe } = client
      .subscription(Events, {}, { liveVariables: () => ({ after: store.positions() }) })
      .subscribe(({ data, error, hasNext }) => {
        if (data?.events) receive(data.events)
        if (error || hasNext === false) {
          unsubscribe()
          resolve()
        }
      })
    stop.addEventListener("abort", () => {
      unsubscribe()
      resolve()
    })
  })
}

/** Tries again, after growing pauses, until it works. */
async function untilDone(work: () => Promise<void>, stop?: AbortSignal): Promise<void> {
  for (let attempt = 0; !stop?.aborted; attempt += 1) {
    try {
      return await work()
    } catch {
      await pause(backoff(attempt), stop)
    }
  }
}
