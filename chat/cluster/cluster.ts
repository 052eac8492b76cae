import { every } from "@parley/platform/every.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { NodeRecord, Nodes } from "../store/nodes.ts"
import type { Announcer } from "./announcer.ts"
import type { NodeOutbox } from "./outbox.ts"
import { createTakeover } from "./takeover.ts"
import { createWatch } from "./watch.ts"

/** Where a node is to be found. */
export interface NodeAddress {
  id: string
  url: string
  /** It is about to stop. */
  draining: boolean
}

export interface Cluster {
  /** The nodes that live, this one first, as far as it can tell. */
  nodes(): NodeAddress[]
  /** Whether it can read the registry: otherwise it does not know of others that came, and they may count it as dead. */
  isCurrent(): boolean
  /** Of how many dead nodes this one is the heir. */
  takeovers(): number
  /** Says that this node is about to stop, so that gateways take their subscriptions elsewhere. */
  drain(): Promise<void>
  /** Beats no more. Once everything has been announced the node is forgotten; otherwise it leaves an heir something to do. */
  leave(): Promise<void>
}

export interface ClusterOptions {
  nodes: Nodes
  outbox: NodeOutbox
  announceRange: Announcer
  /** Where gateways reach this node. */
  url: string
  log: Logger
  /** Whether this node cannot publish just now: the others are told. */
  isMute(): boolean
  /** Told of what the registry says, each time that it is read. */
  onSeen(records: readonly NodeRecord[]): void
  /** In ms; the same on every node. */
  beatEvery?: number
}

/** A node counts as dead after four of them, and its heir has announced what it left well within 5 s. */
const BEAT_EVERY = 700

const now = () => performance.now()

/**
 * A node's part in the cluster: it beats and watches the others' beats; it announces what it could not announce before;
 * and it becomes the heir of a node that has died, to announce what that one left.
 */
export function joinCluster(options: ClusterOptions): Cluster {
  const { nodes, outbox, announceRange, url, log, beatEvery = BEAT_EVERY } = options
  const watch = createWatch(beatEvery)
  const takeover = createTakeover({ nodes, announceRange, log, now })
  let beat = 0
  let draining = false

  const put = () =>
    nodes.put({
      ...{ id: outbox.node, url, beat: ++beat, draining, announced: outbox.announced() },
      mute: options.isMute(),
    })

  async function live(): Promise<void> {
    if (!(await put())) {
      log.warn("this node was counted as dead, and begins a new life", { node: outbox.node })
      outbox.renew()
      await put()
    }
    const records = await nodes.all()
    watch.see(records, now())
    options.onSeen(records)
  }

  async function catchUp(): Promise<void> {
    const { node } = outbox
    for (const range of [outbox.unannounced(), outbox.doubts(now())]) {
      if (range) await announceRange(node, range)
    }
    for (const record of watch.dead()) {
      if (record.id !== outbox.node && (await isHeirOf(record))) {
        await takeover.settle(record, outbox.node)
      }
    }
  }

  async function isHeirOf(dead: NodeRecord): Promise<boolean> {
    if (dead.heir === outbox.node) return true
    if (watch.live().some(({ id }) => id === dead.heir)) return false
    const inherited = await nodes.inherit(dead, outbox.node)
    if (inherited) log.warn("a node has died", { node: dead.id, url: dead.url, heir: outbox.node })
    return inherited
  }

  // Apart: a long backlog must not keep the node from beating.
  const beating = every(beatEvery, live, (error) =>
    log.warn("the registry of nodes cannot be reached", { error }),
  )
  const catchingUp = every(beatEvery, catchUp, (error) =>
    log.warn("what was not announced cannot be announced just now", { error }),
  )

  return {
    nodes() {
      const self = { id: outbox.node, url, draining }
      // A node that was killed and started again is found at the same place as its former life,
      // which may have been draining.
      const drainingFirst = watch.live().sort((a, b) => Number(b.draining) - Number(a.draining))
      const byUrl = new Map(drainingFirst.map((record) => [record.url, address(record)]))
      byUrl.delete(url)
      return [self, ...byUrl.values()]
    },

    isCurrent: () => watch.isCurrent(now()),

    takeovers: () => takeover.takeovers,

    async drain() {
      draining = true
      await put().catch(() => {})
    },

    async leave() {
      await Promise.all([beating.stop(), catchingUp.stop()])
      const rest = outbox.isSettled() ? nodes.forget(outbox.node) : put()
      await rest.catch((error) => log.warn("this node could not take its leave", { error }))
    },
  }
}

const address = ({ id, url, draining }: NodeRecord): NodeAddress => ({ id, url, draining })
