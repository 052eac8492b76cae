import type { Client } from "@urql/core"
import { LIST_MEMBERS, LIST_PAGE, LIST_PAGES_AT_ONCE, LONGEST_PAGE } from "../limits.ts"
import { absentWhereNoId, createAsking } from "./asking.ts"
import { pause } from "./backoff.ts"
import { MoreConversations, type WireConversationPage, type WireEvent } from "./documents.ts"
import { createLoads, loadOf } from "./loads.ts"
import {
  isAtEnd,
  isOpenable,
  newerRange,
  newestRange,
  olderRange,
  openingRange,
  type Range,
} from "./log.ts"
import type { Conversation } from "./model.ts"
import { createNeeds } from "./needs.ts"
import { createHorizon, newestTime, type Resume } from "./resume.ts"
import { untilDone, waitAfter } from "./retry.ts"
import type { LiveState, LiveStore, Need } from "./store.ts"
import { stream } from "./stream.ts"
import { conversationOf, entryOf, membersOf, usersIn, usersOf } from "./wire.ts"

export interface Sync {
  /** Starts the live stream; returns what ends it. */
  start(): () => void
  /**
   * Loads what a screen with this conversation needs: it, the entries to begin with, all its members. Like all loads it
   * is tried until it works or `stop` fires; meanwhile the store's `troubles` name it.
   */
  open(conversation: string, stop?: AbortSignal): Promise<"here" | "absent" | "stopped">
  /** Loads the page before the oldest loaded entry. */
  loadOlder(conversation: string, stop?: AbortSignal): Promise<void>
  /** Loads the page behind what is loaded, where that is not the newest one. */
  loadNewer(conversation: string, stop?: AbortSignal): Promise<void>
  /** Goes to the newest page. */
  loadNewest(conversation: string, stop?: AbortSignal): Promise<void>
  /** Loads the next page of the list of conversations. */
  loadMore(stop?: AbortSignal): Promise<void>
  /** Does what the store has found to be missing; once at a time for each conversation. */
  satisfy(need: Need | undefined): void
  /** Tries at once what has failed, or as soon as the server allows it. */
  hurry(): void
}

export interface SyncOptions {
  client: Client
  store: LiveStore
  /** Where the list that came with the page goes on; null where it was complete. */
  moreAfter: string | null
  /** An entry or a conversation has arrived on this device: its watermark may move. */
  arrived(): void
}

/** The acknowledgement of one's own message may be ahead of the stream for a moment: that is no hole yet. */
const GAP_GRACE_MS = 400

/**
 * Keeps the store in step with the server. Three phases, and again after every interruption: the stream replays what
 * was missed since the horizon, says Ready, and goes on live; the list of conversations is loaded beside it. What the stream cannot bring (holes, a
 * conversation not heard of, a replay that was too long, receipts) is fetched.
 */
export function createSync({ client, store, moreAfter, arrived }: SyncOptions): Sync {
  let waker = new AbortController()
  const wake = () => waker.signal
  const asking = createAsking(client, store)
  const { load } = createLoads(store, wake)
  const horizon = createHorizon(store.get())

  /** Asked anew for each stream that begins, also where only the socket is a new one. */
  function resume(): Resume {
    horizon.begin()
    return horizon.resume(store.get())
  }

  function hurry(): void {
    waker.abort()
    waker = new AbortController()
  }

  const { satisfy } = createNeeds(
    { fill: closeGap, conversation: reload, count: recount },
    catchUp,
    wake,
  )

  async function closeGap(id: string): Promise<void> {
    await pause(GAP_GRACE_MS)
    for (;;) {
      const gap = store.get().conversations[id]
      if (!gap?.ahead.length) return
      // The server knows of no entries between: whatever is ahead came from somewhere else. Begin anew.
      if (!(await catchUp(id))) return reload(id)
    }
  }

  /** Takes the next entries after the position; returns whether there were any. */
  async function catchUp(id: string): Promise<boolean> {
    const before = store.get().conversations[id]
    if (!before || before.left) return false
    const entries = await asking.log(id, { after: before.position, first: LONGEST_PAGE })
    if (entries === undefined) {
      store.forget(id)
      return true
    }
    store.fill(id, entries)
    arrived()
    return store.get().conversations[id]?.position !== before.position
  }

  /** Takes the server's picture of one conversation, and the page to begin with where one was loaded. */
  async function reload(id: string): Promise<void> {
    const known = store.get().conversations[id]
    const snapshot = await asking.picture(id)
    if (!snapshot) return store.forget(id)
    store.adopt(snapshot, { reset: true })
    if (known?.entries.length) await loadPage(id, "openAt", openingOf)
    arrived()
  }

  /** A count is of use only together with the very log that it was taken from: else it is taken again. */
  async function recount(id: string): Promise<void> {
    const snapshot = await asking.picture(id)
    if (!snapshot) return store.forget(id)
    const position = () => store.get().conversations[id]?.position ?? 0
    // The stream may have left a hole: it does not bring what the picture has counted.
    if (snapshot.position > position()) await catchUp(id)
    if (snapshot.position !== position()) throw new Error("Not yet.")
    store.adopt(snapshot)
  }

  const openingOf = (conversation: Conversation) =>
    openingRange(conversation, store.get().viewer.id)

  /** Loads a range of a conversation's log and hands it to the store. */
  async function loadPage(
    id: string,
    how: "openAt" | "prepend" | "extend",
    rangeOf: (conversation: Conversation) => Range,
  ): Promise<void> {
    for (;;) {
      const conversation = store.get().conversations[id]
      if (!conversation || conversation.left || conversation.position === 0) return
      const range = rangeOf(conversation)
      if (range.first <= 0) return
      const entries = await asking.range(id, range)
      if (entries === undefined) return store.forget(id)
      const before = store.get().conversations[id]
      store[how](id, entries, range.after)
      // Where the reader has gone elsewhere meanwhile the page is of no use, and another one is wanted.
      if (how === "openAt" || store.get().conversations[id] !== before) return
    }
  }

  async function loadMembers(id: string): Promise<void> {
    const viewer = store.get().viewer.id
    await asking.members(id, (page) => {
      store.addUsers(usersOf(page))
      const { [viewer]: _own, ...others } = membersOf(page)
      store.addMembers(id, others)
    })
  }

  /** How far back in time the list is loaded, in ms since the epoch: what is older is on a page that comes. */
  let listedTo = moreAfter === null ? 0 : (newestTimes(store.get())[LIST_PAGE - 1] ?? 0)

  function adoptPage(page: WireConversationPage): number {
    const viewer = store.get().viewer.id
    const conversations = page.edges.map(({ node }) => conversationOf(node, viewer))
    store.addUsers(page.edges.flatMap(({ node }) => usersOf(node.members)))
    for (const conversation of conversations) store.adopt(conversation)
    arrived()
    return Math.min(...conversations.map(newestTime))
  }

  const askPage = async (after: string | null): Promise<WireConversationPage> =>
    (await asking.ask(MoreConversations, { first: LIST_PAGE, after, members: LIST_MEMBERS }))
      .conversations

  async function loadListPage(): Promise<void> {
    if (moreAfter === null) return
    const page = await askPage(moreAfter)
    const { hasNextPage, endCursor } = page.pageInfo
    moreAfter = hasNextPage && endCursor !== moreAfter ? endCursor : null
    const oldest = adoptPage(page)
    listedTo = moreAfter === null ? 0 : Math.min(listedTo, oldest)
    store.setListComplete(moreAfter === null)
  }

  /** What is at hand without scrolling. The rest comes as the reader goes down, or when something happens in it. */
  async function loadList(stop: AbortSignal): Promise<void> {
    for (let page = 1; page < LIST_PAGES_AT_ONCE && moreAfter !== null; page += 1) {
      await load(loadOf("list"), loadListPage, stop)
    }
  }

  /** A stream has become ready since the receipts were asked for last. */
  let receiptsBehind = false
  let askingForReceipts = false

  /**
   * Receipts are not replayed: those of the newest conversations are fetched at each Ready. The first one included, for
   * some may have moved since the server rendered the page. Once at a time, however often the line breaks; what is asked
   * for after the last Ready counts.
   */
  async function catchUpReceipts(stop: AbortSignal): Promise<void> {
    receiptsBehind = true
    if (askingForReceipts) return
    askingForReceipts = true
    while (receiptsBehind && !stop.aborted) await untilDone(loadReceipts, { stop, wake })
    askingForReceipts = false
  }

  async function loadReceipts(): Promise<void> {
    receiptsBehind = false
    adoptPage(await askPage(null))
  }

  function receive(event: WireEvent, stop: AbortSignal): void {
    switch (event.__typename) {
      case "Ready":
        for (const { id } of event.reload) satisfy({ need: "conversation", conversation: id })
        horizon.ready()
        void catchUpReceipts(stop)
        hurry()
        arrived()
        return
      case "ReceiptMoved":
        satisfy(store.receipt(event.conversation.id, event.user.id, event))
        return
      default:
        // A kind of event that this version does not know and that is not of the log has nothing to say here.
        if (typeof event.seq !== "number") return
        horizon.saw(event.at)
        if (!store.get().conversations[event.conversation.id] && Date.parse(event.at) < listedTo)
          return
        store.addUsers(usersIn(event))
        satisfy(store.receive(event.conversation.id, entryOf(event)))
        arrived()
    }
  }

  function isReady(id: string): boolean {
    const { viewer, conversations } = store.get()
    const conversation = conversations[id]
    return !conversation || conversation.left || isOpenable(conversation, viewer.id)
  }

  async function openOnce(id: string): Promise<"here" | "absent"> {
    const known = store.get().conversations[id]
    if (!known || known.left) {
      const snapshot = await asking.picture(id).catch(absentWhereNoId)
      if (!snapshot) return "absent"
      store.adopt(snapshot)
    }
    store.cutToOpen(id)
    if (!isReady(id)) {
      await loadPage(id, "openAt", openingOf)
      store.cutToOpen(id)
      if (!isReady(id)) throw new Error("Not yet.")
    }
    const { members = {}, memberCount = 0 } = store.get().conversations[id] ?? {}
    if (Object.keys(members).length < memberCount) await loadMembers(id)
    arrived()
    return "here"
  }

  return {
    start() {
      const stopped = new AbortController()
      const stop = stopped.signal
      const run = async () => {
        void loadList(stop)
        // A stream that the server ends, by a refusal or for good, is begun again; a lost socket never gets here.
        for (let attempt = 0; !stop.aborted; attempt += 1) {
          const since = Date.now()
          const error = await stream(client, resume, (event) => receive(event, stop), stop)
          if (Date.now() - since > 60_000) attempt = 0
          if (!stop.aborted) await waitAfter(error, attempt, { stop })
        }
      }
      void run()
      return () => stopped.abort()
    },
    open: async (id, stop) =>
      (await load(loadOf("open", id), () => openOnce(id), stop)) ?? "stopped",
    loadOlder: (id, stop) =>
      load(loadOf("older", id), () => loadPage(id, "prepend", olderRange), stop),
    async loadNewer(id, stop) {
      const conversation = store.get().conversations[id]
      if (!conversation || isAtEnd(conversation)) return
      await load(loadOf("newer", id), () => loadPage(id, "extend", newerRange), stop)
    },
    loadNewest: (id, stop) =>
      load(loadOf("newest", id), () => loadPage(id, "openAt", newestRange), stop),
    loadMore: (stop) => load(loadOf("list"), loadListPage, stop),
    satisfy,
    hurry,
  }
}

const newestTimes = ({ conversations }: LiveState): number[] =>
  Object.values(conversations)
    .map(newestTime)
    .sort((a, b) => b - a)
