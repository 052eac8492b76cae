import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { BusEvent } from "../bus/bus.ts"
import type { MembersEntry } from "../domain/entry.ts"
import { REPLAY_PAGE_BYTES } from "../limits.ts"
import type { Store } from "../store/store.ts"
import type { Feed } from "./feed.ts"
import { endAll, type Subscription } from "./subscription.ts"

/** Entries that a feed reads from the log at a time. */
export const FILL_PAGE = 200

/** Brings subscriptions into a feed, and out of it, by the changes of members that the feed comes by. */
export interface Joining {
  /** The subscriptions of those who joined by the entry, apart from those who were told of it and have left since. */
  latecomers(entry: MembersEntry): Set<Subscription>
  /** Takes a subscription out whose user has left by the entry. */
  depart(feed: Feed, subscription: Subscription, entry: MembersEntry): void
  /** Lets in those whose joining the feed has passed before they were here; undefined where there are none. */
  admit(feed: Feed, joining: MembersEntry): Promise<void> | undefined
}

export interface JoiningOptions {
  store: Pick<Store, "entries">
  log: Logger
  subscriptionsOf(user: string): ReadonlySet<Subscription>
  feedOf(conversation: string): Feed | undefined
  enter(feed: Feed, subscription: Subscription): void
  exit(feed: Feed, subscription: Subscription): void
  tell(feed: Feed, event: BusEvent, subscriptions: Iterable<Subscription>): void
}

export function createJoining(options: JoiningOptions): Joining {
  const { store, log, subscriptionsOf, feedOf, enter, exit, tell } = options

  /** The subscriptions of those who joined by the entry, apart from those who were told of it and have left since. */
  function latecomers(entry: MembersEntry): Set<Subscription> {
    const subscriptions = entry.joined.flatMap((user) => [...subscriptionsOf(user)])
    return new Set(subscriptions.filter((subscription) => isNews(entry, subscription)))
  }

  const isNews = ({ conversation, seq }: MembersEntry, subscription: Subscription) =>
    seq > (subscription.departed.get(conversation) ?? 0) &&
    !isReadLater(subscription, conversation, seq) &&
    !feedOf(conversation)?.subscriptions.has(subscription)

  /**
   * Whether the subscription's membership was read when the log had come further than this change of members. A feed that an
   * old joining opened comes by all later changes too: of a subscription that has been placed since then, they say nothing.
   */
  const isReadLater = (subscription: Subscription, conversation: string, seq: number) =>
    seq <= (subscription.covered.get(conversation) ?? 0)

  function depart(feed: Feed, subscription: Subscription, entry: MembersEntry): void {
    if (isReadLater(subscription, feed.conversation, entry.seq)) return
    // A feed may be behind what the subscription knows: it never goes back, or the next joining on the way would be news.
    const known = subscription.departed.get(feed.conversation) ?? 0
    subscription.departed.set(feed.conversation, Math.max(known, entry.seq))
    exit(feed, subscription)
  }

  /**
   * Lets in those whose joining the feed has not seen: another subscription opened the feed at a later entry, before this one came.
   * They are told what they have missed first; a subscription that cannot be told ends, and resumes from its position.
   */
  function admit(feed: Feed, joining: MembersEntry): Promise<void> | undefined {
    const late = latecomers(joining)
    if (late.size === 0) return undefined
    return tellMissed(feed, joining, late).then(
      () => {
        for (const subscription of late) {
          if (subscription.phase !== "ended" && isNews(joining, subscription))
            enter(feed, subscription)
        }
      },
      (error) => {
        log.warn("what was missed before joining cannot be read", { error })
        endAll(late, unavailable("The missed events cannot be read."), log)
      },
    )
  }

  /** The feed stands still meanwhile. Who leaves on the way is taken out, and who is placed by their registration. */
  async function tellMissed(
    feed: Feed,
    joining: MembersEntry,
    late: Set<Subscription>,
  ): Promise<void> {
    for (let position = joining.seq - 1; position < feed.tail && late.size > 0; ) {
      const limit = Math.min(FILL_PAGE, feed.tail - position)
      const missed = await store.entries(feed.conversation, position, limit, REPLAY_PAGE_BYTES)
      if (missed.length === 0) throw new Error(`${feed.conversation} ends at ${position}`)
      for (const entry of missed) {
        for (const subscription of late)
          if (!isNews(joining, subscription)) late.delete(subscription)
        tell(feed, { kind: "entry", entry }, late)
        position = entry.seq
        if (entry.kind === "message") continue
        for (const subscription of late) {
          if (!entry.left.includes(subscription.user)) continue
          depart(feed, subscription, entry)
          late.delete(subscription)
        }
      }
    }
  }

  return { latecomers, depart, admit }
}
