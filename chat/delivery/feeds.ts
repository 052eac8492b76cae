import { unavailable } from "@parley/platform/errors.ts"
import type { BusEvent } from "../bus/bus.ts"
import type { Entry } from "../domain/entry.ts"
import { FEED_BYTES, FEED_EVENTS, FEED_WAIT_MS, REPLAY_PAGE_BYTES } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { dispatch, type Observers } from "./dispatch.ts"
import type { Feed } from "./feed.ts"
import { createJoining, FILL_PAGE } from "./joining.ts"
import { lanesToDrain } from "./lane.ts"
import { createLeaving } from "./leaving.ts"
import { createPlacings } from "./placings.ts"
import { endAll, eventBytes, type Subscription } from "./subscription.ts"

const FILL_RETRY_MS = 250

export interface Feeds {
  /** Tells those in the event's feed of it; an entry may also bring a subscription in. */
  take(event: BusEvent, users: readonly string[]): void
  /**
   * Lets a subscription in whose membership was read when the log ended at `head`: it is told of every entry after that.
   * False where the feed is ahead of `head`: the membership must be read again.
   */
  place(subscription: Subscription, conversation: string, head: number): boolean
  /**
   * Takes a subscription out whose membership ended with the entry `until`, as its reading says, where the feed has yet to
   * come by that entry. A feed that is past it has let the subscription in again by a later joining.
   */
  takeOut(subscription: Subscription, conversation: string, until: number): void
  /** From here to the call of what it returns a subscription reads its memberships, and misses nothing that passes meanwhile. */
  beginPlacing(): () => void
  /** Forgets what only the subscription's replay needed. */
  settle(subscription: Subscription): void
  /** The subscription leaves every feed; one that has ended is told of nothing any more, so many feeds may take a while. */
  remove(subscription: Subscription): void
  /** How many feeds the subscription is in. */
  placesOf(subscription: Subscription): number
  readonly size: number
  /** Conversations without a feed of which is remembered that something passed while subscriptions are being placed. */
  readonly strays: number
  /** What waits in the feeds: in all of them, and in the fullest. */
  queued(): { all: number; fullest: number }
}

export interface FeedsOptions extends Observers {
  store: Pick<Store, "entries">
  /** The subscriptions that a user has on this node. */
  subscriptionsOf(user: string): ReadonlySet<Subscription>
}

/**
 * A feed goes through its log strictly in order: an entry that arrives early makes the feed read what is missing, and
 * who is in the feed at an entry is who was a member at that entry's seq. So order, absence of holes and of leaks do not
 * depend on what the bus does.
 */
export function createFeeds(options: FeedsOptions): Feeds {
  const { store, log, subscriptionsOf } = options
  const feeds = new Map<string, Feed>()
  const feedsOf = new Map<Subscription, Set<Feed>>()
  const placings = createPlacings()
  const joining = createJoining({
    ...{ store, log, subscriptionsOf, enter, exit, tell },
    feedOf: (conversation) => feeds.get(conversation),
  })
  const { admit, depart, latecomers } = joining
  const leave = createLeaving<Subscription, Feed>((subscription, feed) => exit(feed, subscription))

  function openFeed(conversation: string, tail: number): Feed {
    const feed: Feed = {
      ...{ conversation, tail, known: tail, subscriptions: new Set(), lanes: new Map() },
      ...{ queue: [], queuedBytes: 0, busy: false, failingSince: undefined },
    }
    feeds.set(conversation, feed)
    return feed
  }

  function enter(feed: Feed, subscription: Subscription): void {
    feed.subscriptions.add(subscription)
    const entered = feedsOf.get(subscription)
    if (entered) entered.add(feed)
    else feedsOf.set(subscription, new Set([feed]))
  }

  function exit(feed: Feed, subscription: Subscription): void {
    feed.subscriptions.delete(subscription)
    feedsOf.get(subscription)?.delete(feed)
    if (!feed.busy) closeIfEmpty(feed)
  }

  function closeIfEmpty(feed: Feed): void {
    // What is still being rendered comes before anything that a feed opened later would send.
    if (feed.subscriptions.size > 0 || feed.lanes.size > 0) return
    feeds.delete(feed.conversation)
    placings.note(feed.conversation, feed.known)
  }

  function takeEntry(event: BusEvent & { kind: "entry" }): void {
    const { entry } = event
    const feed = feeds.get(entry.conversation) ?? feedForJoined(entry)
    if (feed) {
      feed.known = Math.max(feed.known, entry.seq)
      queue(feed, event, [])
    } else placings.note(entry.conversation, entry.seq)
  }

  /** A user who is here and has just been added brings the conversation to this node. */
  function feedForJoined(entry: Entry): Feed | undefined {
    if (entry.kind !== "members" || latecomers(entry).size === 0) return undefined
    const feed = openFeed(entry.conversation, entry.seq - 1)
    // What follows it may have come here first, and found no feed: the feed asks the log once.
    feed.known = entry.seq + 1
    return feed
  }

  function queue(feed: Feed, event: BusEvent, users: readonly string[]): void {
    // What does not fit is not lost: an entry is in the log ahead, and a receipt's present state is in the graph. A
    // change of members is always kept: it may bring in subscriptions that are in no feed, and that nothing else would tell.
    const isMembers = event.kind === "entry" && event.entry.kind === "members"
    if (isMembers || (feed.queue.length < FEED_EVENTS && feed.queuedBytes < FEED_BYTES)) {
      feed.queue.push({ event, users })
      feed.queuedBytes += eventBytes(event)
    }
    if (!feed.busy) pump(feed)
  }

  /**
   * Works through a feed's queue in the order of the log; runs on without a promise as long as nothing waits. A feed
   * ends with its last subscription, but not before its queue: an entry in it may bring another one in.
   */
  function pump(feed: Feed): void {
    feed.busy = true
    let wait: Promise<void> | undefined
    while (!wait) {
      const next = feed.queue[0]
      const isAhead = next?.event.kind === "entry" && next.event.entry.seq > feed.tail + 1
      if (isAhead || (!next && feed.subscriptions.size > 0 && feed.known > feed.tail))
        wait = fill(feed)
      else if (next) {
        unqueue(feed)
        wait = pass(feed, next.event, next.users)
      } else {
        feed.busy = false
        closeIfEmpty(feed)
        return
      }
    }
    void wait
      .then(
        () => {
          feed.failingSince = undefined
        },
        (error) => {
          feed.failingSince ??= performance.now()
          if (performance.now() - feed.failingSince > FEED_WAIT_MS) return giveUp(feed, error)
          log.warn("a feed waits for the store", { conversation: feed.conversation, error })
          return Bun.sleep(FILL_RETRY_MS)
        },
      )
      .then(() => pump(feed))
  }

  function unqueue(feed: Feed): void {
    const next = feed.queue.shift()
    if (next) feed.queuedBytes -= eventBytes(next.event)
  }

  /**
   * A feed that cannot go on must not stand still: its subscriptions end, and resume from their positions. So do those that
   * it was about to let in, by what waits or by the entry at which it failed.
   */
  function giveUp(feed: Feed, error: unknown, failed?: BusEvent): void {
    log.error("a feed cannot go on", { conversation: feed.conversation, error })
    const subscriptions = new Set(feed.subscriptions)
    for (const event of [failed, ...feed.queue.map(({ event }) => event)]) {
      if (event?.kind !== "entry" || event.entry.kind !== "members") continue
      for (const subscription of latecomers(event.entry)) subscriptions.add(subscription)
    }
    placings.note(feed.conversation, feed.known)
    feed.queue = []
    feed.queuedBytes = 0
    feed.failingSince = undefined
    feed.known = feed.tail
    endAll(
      subscriptions,
      unavailable("Something may have been missed: resume from your position."),
      log,
    )
  }

  /** Reads the next entries from the log: the bus has brought a later one first, or one was not kept. */
  async function fill(feed: Feed): Promise<void> {
    const missed = await store.entries(feed.conversation, feed.tail, FILL_PAGE, REPLAY_PAGE_BYTES)
    for (const entry of missed) await pass(feed, { kind: "entry", entry }, [])
    if (missed.length > 0) return lanesToDrain(feed.lanes, FILL_PAGE)
    // The log has no such entry: whatever spoke of it must not keep the feed waiting.
    feed.known = feed.tail
    const [first] = feed.queue
    if (first?.event.kind === "entry" && first.event.entry.seq > feed.tail + 1) {
      const { conversation, seq } = first.event.entry
      log.error("an event is not in the log", { conversation, seq })
      unqueue(feed)
    }
  }

  /** Answers a promise where the log has to be read before the feed can go on. Never throws. */
  function pass(feed: Feed, event: BusEvent, users: readonly string[]): undefined | Promise<void> {
    try {
      if (event.kind === "entry") return passEntry(feed, event)
      tell(feed, event, [...users].flatMap(subscriptionsIn(feed)))
    } catch (error) {
      giveUp(feed, error, event)
    }
    return undefined
  }

  function passEntry(feed: Feed, event: BusEvent & { kind: "entry" }): undefined | Promise<void> {
    const { entry } = event
    if (entry.seq <= feed.tail) return entry.kind === "members" ? admit(feed, entry) : undefined
    feed.tail = entry.seq
    if (entry.kind === "message") return tell(feed, event, feed.subscriptions)
    for (const subscription of latecomers(entry)) enter(feed, subscription)
    tell(feed, event, feed.subscriptions)
    for (const user of entry.left)
      for (const subscription of subscriptionsOf(user)) depart(feed, subscription, entry)
    return undefined
  }

  /** The feed does not wait for what is rendered: each document has its own lane. */
  function tell(feed: Feed, event: BusEvent, subscriptions: Iterable<Subscription>): undefined {
    void dispatch(event, subscriptions, options, feed.lanes, () => {
      if (!feed.busy) closeIfEmpty(feed)
    })
  }

  const subscriptionsIn = (feed: Feed) => (user: string) =>
    [...subscriptionsOf(user)].filter((subscription) => feed.subscriptions.has(subscription))

  return {
    take(event, users) {
      if (event.kind === "entry") return takeEntry(event)
      const feed = feeds.get(event.conversation)
      if (feed) queue(feed, event, users)
    },

    place(subscription, conversation, head) {
      const feed = feeds.get(conversation) ?? openFeed(conversation, head)
      if (feed.tail > head) return false
      enter(feed, subscription)
      // The replay reads up to the head; the feed may still be on its way there.
      subscription.covered.set(conversation, head)
      feed.known = Math.max(feed.known, head, placings.newest(conversation))
      if (!feed.busy && feed.known > feed.tail) pump(feed)
      return true
    },

    takeOut(subscription, conversation, until) {
      const feed = feeds.get(conversation)
      if (feed?.subscriptions.has(subscription) && feed.tail < until) exit(feed, subscription)
    },

    beginPlacing: placings.begin,

    settle(subscription) {
      for (const [conversation, upTo] of subscription.covered) {
        const feed = feeds.get(conversation)
        if (!feed?.subscriptions.has(subscription) || feed.tail >= upTo)
          subscription.covered.delete(conversation)
      }
    },

    remove(subscription) {
      const entered = feedsOf.get(subscription)
      if (!entered) return
      feedsOf.delete(subscription)
      leave(subscription, entered)
    },

    placesOf: (subscription) => feedsOf.get(subscription)?.size ?? 0,

    get size() {
      return feeds.size
    },

    get strays() {
      return placings.size
    },

    queued() {
      const waiting = { all: 0, fullest: 0 }
      for (const { queue } of feeds.values()) {
        waiting.all += queue.length
        waiting.fullest = Math.max(waiting.fullest, queue.length)
      }
      return waiting
    },
  }
}
