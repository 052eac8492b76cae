import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { every } from "@parley/platform/every.ts"
import type { Logger } from "@parley/platform/log.ts"
import * as v from "valibot"
import { type ListedNode, PARTITIONS } from "./pool.ts"

const MAX_NODES = 1_000
const List = v.object({
  partitions: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_536)),
  nodes: v.pipe(
    v.array(v.object({ id: v.string(), url: v.string(), draining: v.boolean() })),
    v.minLength(1),
    v.maxLength(MAX_NODES),
  ),
})

const EVERY_MS = 1_000
/** One that takes longer is passed over for another. */
const WITHIN_MS = 1_000

/**
 * Asks chat every second which nodes there are: the node that answered last, or else any other that is known, or one of
 * the seeds. Their answers may differ for a moment, so it stays with one as long as that one answers. While none does,
 * what was known last goes on. Nodes that do not know the question are an older version, which cannot have others.
 */
export function followNodes(options: {
  seeds: readonly string[]
  secret: string
  log: Logger
  onList(nodes: readonly ListedNode[], partitions: number): void
  /** In ms. */
  every?: number
}): Disposable {
  const { secret, log, onList } = options
  const seeds = options.seeds.map((url) => nodeUrl(url))
  const seedsToAsk = startAnywhere(seeds)
  let known: string[] = []
  let preferred: string | undefined
  let stopped = false

  /** The nodes that one of them knows; undefined where it does not know the question. */
  async function ask(asked: string): Promise<v.InferOutput<typeof List> | undefined> {
    const response = await fetch(new URL("/internal/nodes", asked), {
      headers: { [SECRET_HEADER]: secret },
      signal: AbortSignal.timeout(WITHIN_MS),
    })
    if (response.status === 404) return undefined
    if (!response.ok) throw new Error(`chat answered ${response.status}`)
    const { partitions, nodes } = v.parse(List, await response.json())
    return { partitions, nodes: nodes.map((node) => ({ ...node, url: nodeUrl(node.url, asked) })) }
  }

  async function askAny(): Promise<void> {
    let failure: unknown
    let isOlder = false
    for (const url of new Set([...(preferred ? [preferred] : []), ...known, ...seedsToAsk])) {
      try {
        const list = await ask(url)
        if (stopped) return
        if (list) {
          preferred = url
          known = list.nodes.map(({ url }) => url)
          return onList(byUrl(list.nodes), list.partitions)
        }
        isOlder = true
        failure = new Error(`${url} does not know of nodes`)
      } catch (error) {
        failure = error
      }
    }
    // A node that has once told more has not forgotten how.
    if (!isOlder || known.length > 0) throw failure
    onList(byUrl(seeds.map((url) => ({ url, draining: false }))), PARTITIONS)
  }

  const following = every(options.every ?? EVERY_MS, askAny, (error) =>
    log.warn("the list of chat's nodes cannot be read", { error }),
  )
  return {
    [Symbol.dispose]() {
      stopped = true
      void following.stop()
    },
  }
}

/** The same, in the same order, from some place on: not all gateways are to ask the same node. */
function startAnywhere<T>(items: readonly T[]): T[] {
  const start = Math.floor(Math.random() * items.length)
  return [...items.slice(start), ...items.slice(0, start)]
}

/** What a process that listens on all its addresses takes for its own. */
const ANYWHERE = ["0.0.0.0", "[::]"]

/** One way to write a node's address. A node that does not know its own is where it was asked. */
export function nodeUrl(url: string, asked?: string): string {
  const address = new URL(url, asked)
  if (!/^https?:$/.test(address.protocol)) throw new Error(`A node cannot be reached at ${url}.`)
  if (asked && ANYWHERE.includes(address.hostname)) address.hostname = new URL(asked).hostname
  return address.href.replace(/\/$/, "")
}

/** A node that started anew where an older life of it is still in the list: it is there once, and not draining. */
function byUrl(nodes: readonly ListedNode[]): ListedNode[] {
  const found = new Map<string, ListedNode>()
  for (const { url, draining } of nodes) {
    found.set(url, { url, draining: draining && (found.get(url)?.draining ?? true) })
  }
  return [...found.values()]
}
