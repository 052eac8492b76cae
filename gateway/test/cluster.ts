import { silentLogger } from "@parley/platform/log.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import { until } from "@parley/testing/until.ts"
import type { GatewayOverrides } from "../context.ts"
import { startGateway } from "../start.ts"
import { heaviest, weightsOf } from "../upstream/placement.ts"
import { PARTITIONS } from "../upstream/pool.ts"
import { authState, SECRET, startFakeAuth } from "./fake-auth.ts"
import { type FakeStore, messageSent, startFakeChat } from "./fake-chat.ts"
import { type Freezer, startFreezer } from "./freezer.ts"
import { frontDoor } from "./front-door.ts"
import { PUBLIC_URL } from "./world.ts"

/** A tenth of the usual. */
export const QUICK: GatewayOverrides = {
  every: 100,
  times: { quiet: 100, doubt: 100, pong: 300, watch: 25 },
}

/** Nodes of chat that share a log, equal processes of auth, and gateways before them, all over sockets of their own. */
export async function startCluster(
  size: { chats?: number; auths?: number; gateways?: number },
  overrides: GatewayOverrides = QUICK,
) {
  let offset = 0
  const clock = { now: () => Date.now() + offset }
  const log = silentLogger
  const state = await authState()
  const auths = await all(size.auths ?? 1, async () => {
    const auth = await startFakeAuth({ issuer: PUBLIC_URL, clock, log, state })
    return { ...auth, ...(await startFreezer(auth.port)) }
  })
  const [{ tokens, sign }] = auths as [(typeof auths)[0]]

  const store: FakeStore = { messages: [], history: [] }
  const listed = new Map<string, { draining: boolean }>()
  let read = 0
  const topology = () => {
    read += 1
    return {
      partitions: PARTITIONS,
      nodes: [...listed].map(([url, { draining }]) => ({ id: url, url, draining })),
    }
  }
  const chats: Awaited<ReturnType<typeof startNode>>[] = []
  async function startNode() {
    const chat = await startFakeChat({ tokens, log, store, topology })
    return { ...chat, ...(await startFreezer(chat.port)) }
  }
  for (const node of await all(size.chats ?? 1, startNode)) chats.push(node)
  for (const { url } of chats) listed.set(url, { draining: false })

  const gateways: { stop(): Promise<void>; door: ReturnType<typeof frontDoor> }[] = []
  async function startDoor(seeds: readonly string[] = chats.map(({ url }) => url)) {
    const gateway = await startGateway(
      {
        port: 0,
        host: "127.0.0.1",
        publicUrl: PUBLIC_URL,
        linkSecret: SECRET,
        authUrls: auths.map(({ url }) => url),
        chatUrls: seeds,
        webUrl: undefined,
        introspection: true,
        logLevel: "error",
      },
      { clock, log, ...overrides },
    )
    const door = frontDoor(`http://127.0.0.1:${gateway.port}`)
    let stopped: Promise<void> | undefined
    const stop = () => {
      stopped ??= gateway.stop()
      return stopped
    }
    gateways.push({ door, stop })
    return door
  }
  const doors = await all(size.gateways ?? 1, () => startDoor())

  const cluster = {
    auths,
    chats,
    doors,
    /** The first gateway's. */
    door: doors[0]!,
    listed,
    store,
    startDoor,
    /** A node that nobody knows of yet. */
    async startNode() {
      const node = await startNode()
      chats.push(node)
      return node
    },
    /** Resolves once a single gateway has read the list as it is now, and has had the time to do something about it. */
    async listRead() {
      const before = read
      await until(() => read > before + 3, "the list to be read")
    },
    stopGateway: (index: number) => gateways[index]!.stop(),
    /** Lets so many ms pass for everyone's clock. */
    advance(ms: number) {
      offset += ms
    },
    end: (session: string) => state.ended.push({ id: session, endedAt: clock.now() }),
    bearer: async (user: string, session?: string) => ({
      authorization: `Bearer ${await sign(user, session)}`,
    }),
    /** Where a user belongs, of these nodes. */
    placeOf(user: string, nodes: readonly { url: string }[] = chats) {
      const weighted = nodes.map(({ url }) => ({ url, weights: weightsOf(url, PARTITIONS) }))
      const found = heaviest(weighted, partitionOf(user, PARTITIONS), () => true)
      return chats.find(({ url }) => url === found?.url)!
    },
    /** Users, as many for each of the nodes. */
    usersOf(each: number, nodes: readonly { url: string }[] = chats): string[] {
      return nodes.flatMap((node) => {
        const found: string[] = []
        for (let i = 0; found.length < each; i++) {
          if (cluster.placeOf(`user ${i}`, nodes).url === node.url) found.push(`user ${i}`)
        }
        return found
      })
    },
    /** The next message, for all who have subscribed. */
    async say() {
      const seq = store.history.length + 1
      const event = messageSent(seq)
      store.history.push(event)
      await Promise.all(chats.map((chat) => chat.emit(event)))
    },
    subscriptions: () => chats.map(({ subscriptions }) => subscriptions.size),
    async [Symbol.asyncDispose]() {
      for (const part of [...chats, ...auths]) part.thaw()
      for (const { door, stop } of gateways) {
        door.leave()
        await stop()
      }
      for (const part of [...chats, ...auths]) {
        await part.stop()
        part.cut()
      }
    },
  }
  for (const door of doors) {
    await until(async () => {
      const ready = await fetch(`${door.url}/readyz`)
      return ready.ok && !("down" in ((await ready.json()) as object))
    }, "all nodes")
  }
  return cluster
}
export type Cluster = Awaited<ReturnType<typeof startCluster>>
export type { Freezer }

const all = <T>(count: number, start: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, start))
