import type { Carries, LinkExtensions } from "@parley/link/protocol.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { type Ask, Unanswered, type Upstreamed } from "./ask.ts"
import { type Caller, extensionsFor } from "./caller.ts"
import type { ConnectionState, TIMES } from "./connection.ts"
import { createLink, type Link } from "./link.ts"
import { createMoves } from "./moves.ts"
import { heaviest, type Weighted, weightsOf } from "./placement.ts"
import { createRepeats } from "./repeats.ts"
import { createWaiting } from "./waiting.ts"

/** One node of a subgraph, and the link to it. */
export interface Node<S extends Upstreamed> extends Weighted {
  link: Link<S>
  /** It is about to stop, or is in the list no more: its subscribers are to go elsewhere. */
  draining: boolean
  /** Whether it has ever been in a list: a seed may be another name of a node. */
  known: boolean
  /** When the link of a node that is in the list no more is closed at the latest. */
  closeAt: number | undefined
}

export interface ListedNode {
  url: string
  draining: boolean
}

/**
 * All nodes of one subgraph, as if they were one. What is asked for a user goes to the node of that user's partition,
 * what no user asks for to each in turn; both go elsewhere where that node does not answer. Where things go is a
 * matter of economy: every node gives the same answers.
 */
export interface Pool<S extends Upstreamed> {
  readonly subgraph: string
  /** The nodes in the list, and whether each is being talked to: can be asked, and can have subscriptions. */
  nodes(): { url: string; up: boolean }[]
  /**
   * Asks once, and another node where the first gives no answer: if the question was not sent, or is repeatable and has
   * done no harm (`repeats.ts`). It is sent to two nodes at most.
   * @returns the result's JSON, `{"data":…}` or `{"errors":[…]}`.
   * @throws ParleyError UNAVAILABLE where no node answers, or the one asked does not in time. TOO_LARGE where it is more
   * than a node takes.
   */
  request(ask: Ask, caller: Caller): Promise<string>
  /**
   * Starts a subscription; returns what ends it. While there is no node for it it waits, for 10 s at most: a client
   * that resumes should not have to guess when.
   * @throws ParleyError UNAVAILABLE, or TOO_LARGE where it is more than a node takes.
   */
  subscribe(ask: Ask, caller: Caller, to: S): Promise<() => void>
  /** What is under way with all nodes together. */
  load(): Load
  /** Takes a new list of nodes. One that is missing for a while is left, as one that drains is, and its link closed. */
  replace(listed: readonly ListedNode[], partitions: number): void
  close(): void
}

export interface Load {
  requests: number
  subscriptions: number
  /** What waits for nodes that read slowly. */
  waitingBytes: number
}

export interface PoolOptions<S extends Upstreamed> {
  subgraph: string
  /** The nodes until there is a list. */
  urls: readonly string[]
  secret: string
  log: Logger
  onShared(to: S[], payload: string, cause: RequestContext | undefined): void
  /** Whether the causes of events are of any use. */
  wantsCauses?: boolean
  /** How long an answer may take, in ms. */
  timeout?: number
  times?: Partial<typeof TIMES>
}

const TICK_MS = 100
const SUBSCRIBE_WITHIN_MS = 10_000
/** A node that the others lose sight of may only be slow, and is back in the list soon. */
const MISSING_FOR_MS = 3_000
/** How long what was asked of a node that has left the list may take. */
const CLOSE_WITHIN_MS = 6_000
/** Until a list says otherwise. */
export const PARTITIONS = 64

type Fitness = (
  node: Pick<Node<Upstreamed>, "draining"> & { link: Record<Carries, ConnectionState> },
) => boolean
/** A node is asked by its connection for answers; subscriptions go by its connection for events. */
const isSound =
  (carries: Carries): Fitness =>
  ({ link, draining }) =>
    link[carries] === "up" && !draining
const isConnected = (state: ConnectionState) => state === "up" || state === "doubtful"
/** From the best to what is better than nothing. */
const FIT_TO_ASK: readonly Fitness[] = [
  isSound("answers"),
  ({ link }) => link.answers === "up",
  ({ link }) => link.answers === "doubtful",
]
/** A subscription lives long: a node that may be back at once is waited for. */
const FIT_TO_SUBSCRIBE: readonly Fitness[] = [
  ({ link, draining }) => !draining && (link.events === "up" || link.events === "broken"),
  ({ link }) => link.events === "up",
  ({ link }) => link.events === "doubtful",
]
/** A subscription stays on its node as long as that is not known to be lost. */
const isAlive: Fitness = ({ link, draining }) => !draining && isConnected(link.events)

export function createPool<S extends Upstreamed>(options: PoolOptions<S>): Pool<S> {
  const { subgraph } = options
  let partitions = PARTITIONS
  let nodes: Node<S>[] = []
  let turn = 0
  const repeats = createRepeats()
  const down = () => unavailable(`The ${subgraph} service cannot be reached just now.`)
  const waiting = createWaiting<() => void>(SUBSCRIBE_WITHIN_MS, down)
  const moves = createMoves(
    () => nodes,
    (user) => heaviest(nodes, partitionOf(user, partitions), isAlive),
  )

  function addNode(url: string, draining: boolean): Node<S> {
    const link: Link<S> = createLink({
      ...options,
      url,
      onState(carries, state) {
        if (carries === "answers") {
          if (state === "doubtful" && nodes.some(isSound(carries))) link.release()
          return
        }
        if (state !== "up") return
        moves.begin()
        waiting.release()
      },
    })
    const weights = weightsOf(url, partitions)
    const node = { url, weights, link, draining, known: false, closeAt: undefined }
    nodes.push(node)
    return node
  }

  /** The node for a user, or without one the next in turn, among those of the first kind that there are any of. */
  function choose(
    user: string | undefined,
    kinds: readonly Fitness[],
    except?: ReadonlySet<Node<S>>,
  ): Node<S> | undefined {
    const partition = user === undefined ? undefined : partitionOf(user, partitions)
    if (partition === undefined) turn = (turn + 1) % nodes.length
    for (const isFit of kinds) {
      const may = except ? (node: Node<S>) => isFit(node) && !except.has(node) : isFit
      const node = partition === undefined ? nextFrom(turn, may) : heaviest(nodes, partition, may)
      if (node) return node
    }
    return undefined
  }

  function nextFrom(start: number, may: (node: Node<S>) => boolean): Node<S> | undefined {
    for (let step = 0; step < nodes.length; step++) {
      const node = nodes[(start + step) % nodes.length]!
      if (may(node)) return node
    }
    return undefined
  }

  async function ask(
    question: Ask,
    extensions: LinkExtensions,
    { user, cancellation }: Caller,
  ): Promise<string> {
    // Where none is up, the one whose place it would be is waited for, if it was lost just now.
    let node = choose(user, FIT_TO_ASK) ?? choose(user, [(node) => !node.draining]) ?? nodes[0]!
    let asked: Set<Node<S>> | undefined
    let isRepeated = false
    for (;;) {
      try {
        const answer = await node.link.request(question, extensions, cancellation)
        repeats.answered(question)
        return answer
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error
        if (error.sent) {
          // The second node that an operation was sent to is the last: it may be what they break of.
          if (isRepeated || !question.repeatable || !repeats.mayRepeat(question)) throw error
          isRepeated = true
        }
        asked = (asked ?? new Set()).add(node)
        const other = choose(user, FIT_TO_ASK, asked)
        if (!other) throw error
        node = other
      }
    }
  }

  function open(question: Ask, extensions: LinkExtensions, user: string | undefined, to: S) {
    const node = nodes.length === 1 ? nodes[0]! : choose(user, FIT_TO_SUBSCRIBE)
    const id = node?.link.subscribe(question, extensions, to)
    return node && id !== undefined ? () => node.link.unsubscribe(id) : undefined
  }

  function leaveMissing(now: number): void {
    for (const node of nodes) {
      if (node.closeAt !== undefined && now >= node.closeAt - CLOSE_WITHIN_MS) node.draining = true
    }
    const left = nodes.filter(
      ({ closeAt, draining, link }) =>
        closeAt !== undefined && draining && (link.load === 0 || now >= closeAt),
    )
    if (left.length === 0) return
    nodes = nodes.filter((node) => !left.includes(node))
    for (const { link } of left) link.close()
  }

  const ticking = setInterval(() => {
    const now = performance.now()
    leaveMissing(now)
    moves.tick()
    waiting.release()
    waiting.expire()
  }, TICK_MS)
  ticking.unref()

  for (const url of options.urls) addNode(url, false)
  return {
    subgraph,
    nodes: () =>
      nodes
        .filter(({ closeAt }) => closeAt === undefined)
        .map(({ url, link }) => ({
          url,
          up: isConnected(link.answers) && isConnected(link.events),
        })),
    load() {
      const load = { requests: 0, subscriptions: 0, waitingBytes: 0 }
      for (const { link } of nodes) {
        load.requests += link.load - link.subscribed
        load.subscriptions += link.subscribed
        load.waitingBytes += link.waitingBytes
      }
      return load
    },
    request(question, caller) {
      const extensions = extensionsFor(subgraph, caller)
      return nodes.length === 1
        ? nodes[0]!.link.request(question, extensions, caller.cancellation)
        : ask(question, extensions, caller)
    },
    async subscribe(question, caller, to) {
      const extensions = extensionsFor(subgraph, caller)
      const now = () => open(question, extensions, caller.user, to)
      return now() ?? waiting.wait(now, JSON.stringify(question).length)
    },
    replace(listed, count) {
      let isNew = count !== partitions
      if (count !== partitions) {
        partitions = count
        for (const node of nodes) node.weights = weightsOf(node.url, count)
      }
      const now = performance.now()
      const wanted = new Map(listed.map(({ url, draining }) => [url, draining]))
      for (const [url, draining] of wanted) {
        const node = nodes.find((node) => node.url === url) ?? addNode(url, draining)
        if (node.draining !== draining) isNew = true
        Object.assign(node, { draining, known: true, closeAt: undefined })
      }
      for (const node of nodes) {
        if (wanted.has(node.url) || node.closeAt !== undefined) continue
        node.closeAt = now + CLOSE_WITHIN_MS + (node.known ? MISSING_FOR_MS : 0)
      }
      if (isNew) moves.begin()
    },
    close() {
      clearInterval(ticking)
      for (const { link } of nodes) link.close()
      waiting.close()
    },
  }
}
