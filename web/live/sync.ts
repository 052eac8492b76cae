import type { AnyVariables, Client, CombinedError, TypedDocumentNode } from "@urql/core"
import { LIST_MEMBERS, LIST_PAGE, LONGEST_PAGE, OPEN_MEMBERS } from "../limits.ts"
import { pause } from "./backoff.ts"
import {
  Events,
  Log,
  Members,
  MoreConversations,
  OneConversation,
  type WireConversationPage,
  type WireEvent,
} from "./documents.ts"
import { failureOf, isAbsent } from "./errors.ts"
import { isAtEnd, isOpenable, newestRange, olderRange, openingRange, type Range } from "./log.ts"
import type { Conversation, Entry } from "./model.ts"
import { untilDone, waitAfter } from "./retry.ts"
import type { LiveStore, Need } from "./store.ts"
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
  /** Does what the store has found to be missing; once at a time for each conversation. */
  satisfy(need: Need | undefined): void
  /** Tries at once what has failed, or as soon as the server allows it. */
  hurry(): void
}

/** The loads that a screen waits for; with the conversation's id they are named in the store's `troubles`. */
export type Load = "open" | "older" | "newer" | "newest"
export const loadOf = (load: Load, conversation: string): string => `${load} ${conversation}`

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

/** A load that no screen waits for any more goes on for so long, in ms: a screen that is drawn anew finds it there. */
const UNWANTED_MS = 1_000

interface Running {
  /** How many wait for it. */
  wanted: number
  end: AbortController
  done: Promise<unknown>
}

/**
 * Keeps the store in step with the server. Three phases, and again after every interruption: the stream replays what
 * was missed since the store's positions, says Ready, and goes on live. What the stream cannot bring (holes, a
 * conversation not heard of, a replay that was too long, receipts) is fetched.
 */
export function createSync({ client, store, moreAfter, arrived }: SyncOptions): Sync {
  const busy = new Set<string>()
  const loads = new Map<string, Running>()
  let readyBefore = false
  let waker = new AbortController()
  const wake = () => waker.signal

  function hurry(): void {
    waker.abort()
    waker = new AbortController()
  }

  /** An answer with an error is none, but for NOT_FOUND: only then does a null say that there is nothing. */
  async function ask<D extends object, V extends AnyVariables>(
    document: TypedDocumentNode<D, V>,
    variables: V,
  ): Promise<D> {
    const { data, error } = await client.query(document, variables).toPromise()
    if (error && !isAbsent(error)) throw error
    const answered = data && (error || !Object.values(data).includes(null))
    if (!answered) throw error ?? new Error("No answer.")
    return data
  }

  function satisfy(need: Need | undefined): void {
    if (!need || busy.has(need.conversation)) return
    busy.add(need.conversation)
    const work = { fill: closeGap, conversation: reload, count: recount }[need.need]
    untilDone(() => work(need.conversation), { wake }).finally(() => busy.delete(need.conversation))
  }

  async function closeGap(id: string): Promise<void> {
    await pause(GAP_GRACE_MS)
    for (;;) {
      const gap = store.get().conversations[id]
      if (!gap?.ahead.length) return
      const before = gap.position
      const entries = await askLog(id, { after: before, first: LONGEST_PAGE })
      if (entries === undefined) return store.forget(id)
      store.fill(id, entries)
      arrived()
      // The server knows of no entries between: whatever is ahead came from somewhere else. Begin anew.
      if (store.get().conversations[id]?.position === before) return reload(id)
    }
  }

  /** Takes the server's picture of one conversation, and the page to begin with where one was loaded. */
  async function reload(id: string): Promise<void> {
    const known = store.get().conversations[id]
    const snapshot = await picture(id)
    if (!snapshot) return store.forget(id)
    store.adopt(snapshot, { reset: true })
    if (known?.entries.length) await loadPage(id, "openAt", openingOf)
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

  const openingOf = (conversation: Conversation) =>
    openingRange(conversation, store.get().viewer.id)

  /** Loads a range of a conversation's log, in as many answers as it takes, and hands it to the store. */
  async function loadPage(
    id: string,
    how: "openAt" | "prepend" | "extend",
    rangeOf: (conversation: Conversation) => Range,
  ): Promise<void> {
    const conversation = store.get().conversations[id]
    if (!conversation || conversation.left || conversation.position === 0) return
    const range = rangeOf(conversation)
    if (range.first <= 0) return
    const entries = await askRange(id, range)
    if (entries === undefined) return store.forget(id)
    if (how === "extend") store.extend(id, entries)
    else store[how](id, entries, range.after)
  }

  /** An answer may end early, for its size; what is missing of the range is asked for until it is there. */
  async function askRange(id: string, { after, first }: Range): Promise<Entry[] | undefined> {
    const entries: Entry[] = []
    const end = after + first
    for (let from = after; from < end; ) {
      const page = await askLog(id, { after: from, first: end - from })
      if (page === undefined) return undefined
      entries.push(...page)
      const last = page.at(-1)
      if (!last || last.seq <= from) break
      from = last.seq
    }
    // There is an entry at the end of each range that is asked for: an answer without it is a stale one.
    if ((entries.at(-1)?.seq ?? 0) < end) throw new Error("Not yet.")
    return entries
  }

  /** Undefined where the conversation does not exist for the viewer. */
  async function askLog(id: string, range: Range): Promise<Entry[] | undefined> {
    const { conversation } = await ask(Log, { id, ...range })
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
      const { hasNextPage, endCursor } = data.pageInfo
      if (!hasNextPage || endCursor === null || endCursor === after) return
      after = endCursor
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
        if (readyBefore) untilDone(loadReceipts, { wake })
        readyBefore = true
        hurry()
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

  function isReady(id: string): boolean {
    const { viewer, conversations } = store.get()
    const conversation = conversations[id]
    return !conversation || conversation.left || isOpenable(conversation, viewer.id)
  }

  async function openOnce(id: string): Promise<"here" | "absent"> {
    const known = store.get().conversations[id]
    if (!known || known.left) {
      const snapshot = await picture(id).catch(absentWhereNoId)
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

  /**
   * Tries until it works; from the first failure on the store names it. All that ask for the same meanwhile wait for
   * the same, and its pauses go on though the one that asked first has gone.
   */
  async function load<T>(
    what: Load,
    id: string,
    work: () => Promise<T>,
    stop: AbortSignal | undefined,
  ): Promise<T | undefined> {
    if (stop?.aborted) return undefined
    const name = loadOf(what, id)
    const running = loads.get(name) ?? begin(name, work)
    running.wanted += 1
    const left = Promise.withResolvers<undefined>()
    const leave = () => {
      left.resolve(undefined)
      running.wanted -= 1
      setTimeout(() => running.wanted === 0 && running.end.abort(), UNWANTED_MS)
    }
    stop?.addEventListener("abort", leave, { once: true })
    const done = await Promise.race([running.done as Promise<T | undefined>, left.promise])
    stop?.removeEventListener("abort", leave)
    return done
  }

  function begin(name: string, work: () => Promise<unknown>): Running {
    const end = new AbortController()
    const failed = () => store.setTrouble(name, true)
    const done = untilDone(work, { stop: end.signal, wake, failed }).finally(() => {
      loads.delete(name)
      store.setTrouble(name, false)
    })
    const running = { wanted: 0, end, done }
    loads.set(name, running)
    return running
  }

  return {
    start() {
      const stopped = new AbortController()
      const stop = stopped.signal
      const run = async () => {
        await untilDone(loadRest, { stop, wake })
        // A stream that the server ends, by a refusal or for good, is begun again; a lost socket never gets here.
        for (let attempt = 0; !stop.aborted; attempt += 1) {
          const begun = Date.now()
          const error = await stream(client, store, receive, stop)
          if (Date.now() - begun > 60_000) attempt = 0
          if (!stop.aborted) await waitAfter(error, attempt, { stop })
        }
      }
      void run()
      return () => stopped.abort()
    },
    open: async (id, stop) => (await load("open", id, () => openOnce(id), stop)) ?? "stopped",
    loadOlder: (id, stop) => load("older", id, () => loadPage(id, "prepend", olderRange), stop),
    async loadNewer(id, stop) {
      const pageBehind = ({ loadedTo, position }: Conversation) => ({
        after: loadedTo,
        first: Math.min(LONGEST_PAGE, position - loadedTo),
      })
      const conversation = store.get().conversations[id]
      if (!conversation || isAtEnd(conversation)) return
      await load("newer", id, () => loadPage(id, "extend", pageBehind), stop)
    },
    loadNewest: (id, stop) => load("newest", id, () => loadPage(id, "openAt", newestRange), stop),
    satisfy,
    hurry,
  }
}

/** What stands in the address may be no id at all: then there is no such conversation, and asking again does not help. */
function absentWhereNoId(error: CombinedError): undefined {
  const failure = error.graphQLErrors?.length ? failureOf(error) : undefined
  if (failure?.is === "refused" && failure.code === "BAD_INPUT") return undefined
  throw error
}

/** One run of the subscription; resolves when it ends, to the error that ended it. */
function stream(
  client: Client,
  store: LiveStore,
  receive: (event: WireEvent) => void,
  stop: AbortSignal,
): Promise<CombinedError | undefined> {
  return new Promise((resolve) => {
    const { unsubscribe } = client
      .subscription(Events, {}, { liveVariables: () => ({ after: store.positions() }) })
      .subscribe(({ data, error, hasNext }) => {
        if (data?.events) receive(data.events)
        if (error || hasNext === false) {
          unsubscribe()
          resolve(error)
        }
      })
    stop.addEventListener("abort", () => {
      unsubscribe()
      resolve(undefined)
    })
  })
}
