import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import type { Bus, BusEvent } from "../bus/bus.ts"
import {
  MEMBERSHIP_PAUSE_MS,
  MEMBERSHIP_READINGS,
  MEMBERSHIPS_PER_READ,
  PLACES_PER_PERSON,
  SUBSCRIPTIONS_RETRY_MS,
} from "../limits.ts"
import type { MembershipView, Store } from "../store/store.ts"
import type { Observers } from "./dispatch.ts"
import { createFeeds } from "./feeds.ts"
import { endAll, type Subscription } from "./subscription.ts"

export interface Hub {
  /** Tells the subscriptions of this node of an event; `users` are those it concerns, as far as the event does not say so itself. */
  take(event: BusEvent, users: readonly string[]): void
  /**
   * Registers a subscription: from here on it gets, in its buffer, all that is new to its user. Resolves with the user's
   * memberships, each with how far the replay has to go: an entry is either covered by that or arrives live.
   * @param pause called between two stretches of the memberships.
   * @throws ParleyError UNAVAILABLE, RATE_LIMITED
   */
  register(
    subscription: Subscription,
    pause?: () => Promise<void> | undefined,
  ): Promise<Registered[]>
  /** The subscription is live: forgets what only its replay needed. */
  settle(subscription: Subscription): void
  unregister(subscription: Subscription): void
  /** How many subscriptions there are, and how many conversations they belong to. */
  readonly size: number
  readonly feeds: number
  stats(): HubStats
}

/** For an operator who watches a node. */
export interface HubStats {
  replaying: number
  live: number
  /** Events that wait in the feeds: in all of them, and in the fullest. */
  queued: { all: number; fullest: number }
}

export interface Registered {
  membership: MembershipView
  /** The replay answers up to this seq; what comes after arrives live. */
  upTo: number
}

export interface HubOptions extends Observers {
  store: Pick<Store, "entries" | "memberships">
  bus: Bus
}

/** Knows the subscriptions of this node, whose they are, and which partitions of the bus they need. */
export function createHub(options: HubOptions): Hub {
  const { store, bus } = options
  const subscriptions = new Set<Subscription>()
  const users = new Map<string, Set<Subscription>>()
  const held = new Map<number, number>()
  const none: ReadonlySet<Subscription> = new Set()
  const feeds = createFeeds({ ...options, subscriptionsOf: (user) => users.get(user) ?? none })

  /**
   * A subscription remembers the conversations that its user has left, too. One subscription alone is never too many: of how many
   * conversations a person is made a member and is removed from is not up to them.
   * @throws ParleyError RATE_LIMITED where the person's subscriptions are in too many feeds together.
   */
  function checkPlaces(user: string): void {
    const mine = users.get(user) ?? none
    let places = 0
    for (const subscription of mine)
      places += feeds.placesOf(subscription) + subscription.departed.size
    if (places > PLACES_PER_PERSON && mine.size > 1) throw tooMany()
  }

  async function placeAll(
    subscription: Subscription,
    pause: () => Promise<void> | undefined,
  ): Promise<Registered[]> {
    const registered: Registered[] = []
    for (let after = ""; ; ) {
      const page = await placePage(subscription, after, registered)
      if (!page) return []
      if (page.length < MEMBERSHIPS_PER_READ) return registered
      checkPlaces(subscription.user)
      after = page.at(-1)!.conversation
      const paused = pause()
      if (paused) await paused
    }
  }

  /** Undefined where the subscription has ended meanwhile. */
  async function placePage(
    subscription: Subscription,
    after: string,
    registered: Registered[],
  ): Promise<MembershipView[] | undefined> {
    const placed = new Set<string>()
    for (let reading = 0; reading < MEMBERSHIP_READINGS; reading++) {
      // A membership behind its feed: the feed has heard of an entry that this reading did not find yet.
      if (reading > 0) await Bun.sleep(Math.min(2 ** reading, MEMBERSHIP_PAUSE_MS))
      const limit = MEMBERSHIPS_PER_READ
      const page = await store.memberships(subscription.user, { after, limit })
      if (subscription.phase === "ended") return undefined
      let isBehind = false
      for (const membership of page) {
        const { conversation, until, head } = membership
        if (placed.has(conversation)) continue
        if (place(subscription, membership)) {
          placed.add(conversation)
          registered.push({ membership, upTo: until ?? head })
        } else isBehind = true
      }
      if (!isBehind) return page
    }
    // The feed's log is not the store's.
    throw unavailable("The conversations cannot be read just now.")
  }

  function place(
    subscription: Subscription,
    { conversation, head, until }: MembershipView,
  ): boolean {
    if (until === null) return feeds.place(subscription, conversation, head)
    // An old joining may have brought it in while it was being placed; the feed has yet to come by the leaving.
    feeds.takeOut(subscription, conversation, until)
    subscription.covered.set(conversation, until)
    // The subscription may have come back and left once more since the reading.
    const known = subscription.departed.get(conversation) ?? 0
    subscription.departed.set(conversation, Math.max(known, until))
    return true
  }

  async function hold(partition: number): Promise<void> {
    const holders = held.get(partition) ?? 0
    held.set(partition, holders + 1)
    await bus.hold(partition)
  }

  function release(partition: number): void {
    const holders = (held.get(partition) ?? 1) - 1
    if (holders > 0) held.set(partition, holders)
    else {
      held.delete(partition)
      bus.release(partition)
    }
  }

  // What they have missed is in the log: their clients resume by position.
  bus.onGap((partition) => {
    const concerned = [...subscriptions].filter(
      ({ user }) => partitionOf(user, bus.partitions) === partition,
    )
    const reason = unavailable("Something may have been missed: resume from your position.")
    endAll(concerned, reason, options.log)
  })

  return {
    take: feeds.take,

    async register(subscription, pause = () => undefined) {
      subscriptions.add(subscription)
      const mine = users.get(subscription.user)
      if (mine) mine.add(subscription)
      else users.set(subscription.user, new Set([subscription]))
      const endPlacing = feeds.beginPlacing()
      try {
        await hold(partitionOf(subscription.user, bus.partitions))
        return await placeAll(subscription, pause)
      } finally {
        endPlacing()
      }
    },

    settle: feeds.settle,

    unregister(subscription) {
      if (!subscriptions.delete(subscription)) return
      feeds.remove(subscription)
      const mine = users.get(subscription.user)
      mine?.delete(subscription)
      if (mine?.size === 0) users.delete(subscription.user)
      release(partitionOf(subscription.user, bus.partitions))
    },

    get size() {
      return subscriptions.size
    },

    get feeds() {
      return feeds.size
    },

    stats() {
      let live = 0
      for (const { phase } of subscriptions) if (phase === "live") live += 1
      return { live, replaying: subscriptions.size - live, queued: feeds.queued() }
    },
  }
}

const tooMany = () =>
  new ParleyError("RATE_LIMITED", "You have too many subscriptions: end some.", {
    retryAfterMs: SUBSCRIPTIONS_RETRY_MS,
  })
