import { ConfigError } from "@parley/platform/config.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { type Admin, Kafka, type LogEntry, logLevel } from "kafkajs"
import { within } from "../waiting.ts"

/** A broker that has not answered a request by then counts as dead; in ms. */
export const ANSWER_WITHIN = 3_000
const CONNECT_WITHIN = 1_000
/** A question may take several requests. */
const ASK_WITHIN = 8_000
/**
 * kafkajs tries a few times and then fails; each of our loops begins anew with a new client. One that tries for ever
 * keeps a connection that is dead without having been closed, and goes on trying when no caller needs it any more. In full:
 * else NODE_ENV decides about a part of it.
 */
export const RETRY = {
  initialRetryTime: 100,
  maxRetryTime: 1_000,
  factor: 0.2,
  multiplier: 2,
  retries: 2,
}

/** Makes clients of one cluster. Each has connections of its own. */
export type NewClient = () => Kafka

export function kafkaClients(brokers: readonly string[], clientId: string, log: Logger): NewClient {
  const logCreator = logsTo(log)
  return () =>
    new Kafka({
      ...{ brokers: [...brokers], clientId, retry: RETRY },
      ...{ connectionTimeout: CONNECT_WITHIN, requestTimeout: ANSWER_WITHIN },
      ...{ logLevel: logLevel.INFO, logCreator },
    })
}

/** kafkajs calls much of its daily work an error; the node itself logs what matters to an operator. */
const logsTo =
  (log: Logger) =>
  () =>
  ({ namespace, label, log: { timestamp: _, logger: __, stack: ___, ...said } }: LogEntry) =>
    log.debug("kafka client", { namespace, label, ...said })

/** Asks the cluster, over one connection that is replaced whenever it fails. */
export interface Questions {
  /** @throws whatever the question throws, or UNAVAILABLE where there is no answer in time. */
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function createQuestions(newClient: NewClient): Questions {
  let admin: Promise<Admin> | undefined
  let isClosed = false

  async function connect(): Promise<Admin> {
    const fresh = newClient().admin()
    await fresh.connect().catch((error) => {
      discard(fresh)
      throw error
    })
    return fresh
  }

  return {
    async ask(question) {
      if (isClosed) throw unavailable("The bus is closed.")
      admin ??= connect()
      const asked = admin
      try {
        return await within(asked.then(question), ASK_WITHIN, "the cluster does not answer.")
      } catch (error) {
        if (admin === asked && !isAnswer(error as Error)) {
          admin = undefined
          asked.then(discard, () => {})
        }
        throw error
      }
    },
    async close() {
      isClosed = true
      await admin?.then((admin) => within(admin.disconnect(), ANSWER_WITHIN, "")).catch(() => {})
    },
  }
}

/**
 * Whether the cluster said so itself: then the connection is not to blame, and others may be asking over it. Not where a
 * topic is gone: a client that has once asked for it fails with every question from then on.
 */
function isAnswer(error: Error & { type?: string }): boolean {
  if (error instanceof ConfigError) return true
  if (error.type !== undefined) return error.type !== "UNKNOWN_TOPIC_OR_PARTITION"
  return error.cause instanceof Error && isAnswer(error.cause)
}

/** Closes what is not needed any more; a broker that does not answer is not waited for. */
export function discard(client: { disconnect(): Promise<void> }): void {
  client.disconnect().catch(() => {})
}
