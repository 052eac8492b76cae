import type { Clock } from "@parley/platform/clock.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import type { WriteLimits } from "../config.ts"
import { type ChatContainer, type ChatOverrides, createChat } from "../context.ts"
import type { Entry, MessageEntry } from "../domain/entry.ts"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"
import type { Store } from "../store/store.ts"
import { LIFTED } from "./lifted.ts"
import { messageId } from "./log-builder.ts"
import { everyone, tokens } from "./node.ts"

const config = {
  ...{ port: 0, host: "127.0.0.1", dataDir: "", publicUrl: "http://localhost", authUrls: [] },
  ...{
    linkSecret: "the link secret of a world under test",
    logLevel: "error" as const,
    nodeUrl: undefined,
    cluster: undefined,
  },
}

export interface World extends AsyncDisposable {
  /** What is stored, seen without any node. */
  store: Store
  clock: Clock & { time: number }
  /** The parts of a node, without its endpoint. */
  nodes: ChatContainer[]
}

/**
 * Some nodes in one process that share one store and one bus. Fast: the store is in memory.
 * @param limits of what one person may write; the others are lifted.
 */
export async function createWorld(
  size = 1,
  override: (store: Store, node: number) => Partial<ChatOverrides> = () => ({}),
  limits: Partial<WriteLimits> = {},
): Promise<World> {
  const settings = { ...config, writeLimits: { ...LIFTED, ...limits } }
  const store = openSqliteStore(":memory:")
  const exchange = createInProcessExchange()
  const clock = {
    time: Date.UTC(2026, 0, 1),
    now() {
      return this.time
    },
  }
  const nodes: ChatContainer[] = []
  for (let i = 0; i < size; i++) {
    const defaults = {
      store,
      bus: exchange.join(),
      clock,
      tokens,
      directory: everyone,
      log: silentLogger,
    }
    nodes.push(await createChat(settings, { ...defaults, ...override(store, i) }))
  }
  return { store, clock, nodes, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
}

/** Sends a text as a new message. */
export const send = (
  node: ChatContainer,
  sender: string,
  conversation: string,
  text = "hello",
  id = messageId(Date.UTC(2026, 0, 1)),
): Promise<MessageEntry> => node.services.messages.send(sender, { id, conversation, text })

/** The whole log of a conversation. */
export const logOf = (store: Store, conversation: string): Promise<Entry[]> =>
  store.entries(conversation, 0, 1_000_000)

/** What a promise was refused with; fails where it was not refused. */
export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (reason) => ({ reason }),
  )
  if ("reason" in outcome) return outcome.reason
  throw new Error(`it was not refused: ${JSON.stringify(outcome.value)}`)
}
