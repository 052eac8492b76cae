import type { Running } from "@parley/service/process.ts"
import { createSubgraph } from "@parley/service/subgraph.ts"
import type { ChatConfig } from "./config.ts"
import { type ChatOverrides, createChat } from "./context.ts"

/** Starts one chat node. @throws ConfigError where its store cannot be used. */
export async function startChat(
  config: ChatConfig,
  overrides: Partial<ChatOverrides> = {},
): Promise<Running> {
  const chat = await createChat(config, overrides)
  const { services, schema, tokens, log } = chat
  const app = createSubgraph({
    schema,
    secret: config.linkSecret,
    tokens,
    log,
    context: ({ viewer }) => ({ viewer: viewer?.user, services }),
    subscribe: chat.openEvents,
    ready: () => services.store.ping(),
  })
  app.listen({ port: config.port, hostname: config.host })
  return {
    port: app.server!.port!,
    async stop() {
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
