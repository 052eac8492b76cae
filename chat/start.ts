import { watchSockets } from "@parley/link/socket-metrics.ts"
import { createSubgraph } from "@parley/link/subgraph.ts"
import { listenOr, type Running } from "@parley/platform/process.ts"
import type { Cluster, NodeAddress } from "./cluster/cluster.ts"
import type { ChatConfig } from "./config.ts"
import { type ChatContainer, type ChatOverrides, createChat } from "./context.ts"
import { routes } from "./routes.ts"

/** How long a node that stops waits for the gateways to take its sessions elsewhere; they look every second. In ms. */
const DRAIN_WITHIN = 3_000

/** Starts one chat node. @throws ConfigError where its store, its bus or its port cannot be used. */
export async function startChat(
  config: ChatConfig,
  overrides: Partial<ChatOverrides> = {},
): Promise<Running> {
  const chat = await createChat(config, overrides)
  const { services, schema, tokens, log, tracer, metrics, partitions } = chat
  let nodes = (): NodeAddress[] | undefined => undefined
  const app = createSubgraph({
    schema,
    secret: config.linkSecret,
    tokens,
    log,
    tracer,
    watch: metrics && watchSockets(metrics, "parley_chat", "gateways"),
    turns: chat.turns,
    context: ({ viewer, cause }, work) => ({ viewer: viewer?.user, cause, services, work }),
    subscribe: chat.openEvents,
    ready: chat.ready,
    answerBytes: config.answerBytes,
  }).use(
    routes(config.linkSecret, () => {
      const known = nodes()
      return known && { partitions, nodes: known }
    }),
  )
  const release = () => chat[Symbol.asyncDispose]()
  await listenOr(release, () => app.listen({ port: config.port, hostname: config.host }))
  const port = app.server!.port!
  const url = config.nodeUrl ?? `http://${config.host}:${port}`
  const cluster = chat.join(url)
  nodes = cluster
    ? () => (cluster.isCurrent() ? cluster.nodes() : undefined)
    : () => [{ id: "alone", url, draining: false }]
  return {
    port,
    async stop() {
      if (cluster) await drain(cluster, chat)
      // What is being written is committed, and acknowledged before its connection goes: one turn of the event loop makes
      // the answers, and the next one writes them.
      await services.store.settle()
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      await app.stop(true)
      await chat[Symbol.asyncDispose]()
    },
  }
}

/** Waits until the subscriptions are elsewhere; a client that is still here then resumes by position. */
async function drain(cluster: Cluster, { hub }: ChatContainer): Promise<void> {
  await cluster.drain()
  const deadline = performance.now() + DRAIN_WITHIN
  const hasSuccessor = () => cluster.nodes().some((node) => !node.draining)
  while (hub.size > 0 && hasSuccessor() && performance.now() < deadline) await Bun.sleep(20)
}
