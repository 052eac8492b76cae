import type { Link } from "@parley/link/subgraph.ts"
import { silentLogger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { ChatContainer } from "../context.ts"
import { type Positions, replay } from "../delivery/replay.ts"
import { createReplaySemaphore } from "../delivery/replay-semaphore.ts"
import type { CompiledSubscription, DeliveryEvent, Subscription } from "../delivery/subscription.ts"
import type { Entry } from "../domain/entry.ts"

/** A compiled subscription whose answer is the event itself, as JSON. */
export const plainCompiled = (
  shareable = true,
  pause?: () => Promise<void>,
): CompiledSubscription => ({
  shareable,
  render(event, viewer) {
    if (!shareable && viewer === undefined) throw new Error("this document needs a viewer")
    const payload = JSON.stringify(event)
    return pause ? pause().then(() => payload) : payload
  },
})

let ids = 0

/** A subscription of its own, as `createEvents` makes one, that keeps what it was sent. */
export function openSubscription(
  node: ChatContainer,
  user: string,
  positions: Positions | undefined,
  options: {
    compiled?: CompiledSubscription
    onEvent?(event: DeliveryEvent): void
    store?: ChatContainer["services"]["store"]
    since?: number
    waitingBytes?(): number
  } = {},
) {
  const received: DeliveryEvent[] = []
  const causes: (RequestContext | undefined)[] = []
  let error: Error | undefined
  const link: Link = {
    deliver(_ids, payload, cause) {
      // What is written to a connection that is gone reaches no client.
      if (subscription.phase === "ended") return false
      const event = JSON.parse(payload) as DeliveryEvent
      received.push(event)
      causes.push(cause)
      options.onEvent?.(event)
      return true
    },
    waitingBytes: options.waitingBytes ?? (() => 0),
  }
  ids += 1
  const subscription: Subscription = {
    ...{ user, link, id: `${ids}`, compiled: options.compiled ?? plainCompiled() },
    ...{
      phase: "replaying",
      buffer: [],
      bufferedBytes: 0,
      covered: new Map(),
      departed: new Map(),
    },
    end(given) {
      error = given ?? error
      stop()
    },
  }
  function stop(): void {
    if (subscription.phase === "ended") return
    subscription.phase = "ended"
    subscription.buffer = []
    node.hub.unregister(subscription)
  }
  const store = options.store ?? node.services.store
  const { hub, turns } = node
  const replayed = replay(
    subscription,
    positions,
    { hub, store, log: silentLogger, turns, semaphore: createReplaySemaphore() },
    options.since,
  )
  return {
    subscription,
    received,
    /** What the gateway was told has brought each about. */
    causes,
    stop,
    /** Resolves once the subscription is live, or has ended. */
    replayed,
    get error() {
      return error
    },
    entries: () => received.flatMap((event) => (event.kind === "entry" ? [event.entry] : [])),
    readies: () => received.filter((event) => event.kind === "ready"),
  }
}

/** Someone at a device: is cut off, comes back on any node from where they were, and keeps all they were ever told. */
export function createSubscriber(user: string, compiled: CompiledSubscription) {
  const positions = new Map<string, number>()
  const told: Entry[] = []
  let current: ReturnType<typeof openSubscription> | undefined
  return {
    user,
    /** Every entry, in the order of its arrival, over all connections. */
    told,
    get isConnected() {
      return current !== undefined && current.subscription.phase !== "ended"
    },
    get isLive() {
      return current?.subscription.phase === "live"
    },
    connect(node: ChatContainer): void {
      current?.stop()
      current = openSubscription(node, user, new Map(positions), {
        compiled,
        onEvent(event) {
          if (event.kind === "ready" && event.reload.length > 0) throw new Error("reload?")
          if (event.kind !== "entry") return
          told.push(event.entry)
          positions.set(event.entry.conversation, event.entry.seq)
        },
      })
    },
    disconnect: () => current?.stop(),
  }
}
export type Subscriber = ReturnType<typeof createSubscriber>
